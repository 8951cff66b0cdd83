// Sends test messages, one at a time and each once, beside the lanes and without a word to their circuit.
// Runs on one thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "libcore/domain/test_send.hpp"
#include "libcore/http/exchange.hpp"
#include "libcore/http/origin.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/metrics.hpp"
#include "services/worker/settings.hpp"

namespace worker {

class TestSender {
public:
    TestSender(const Settings& settings, postgres::Pool& pool, runtime::Registry& registry);

    std::chrono::milliseconds run_once();

private:
    http::Answer post(const domain::TestSend& message);

    const ProviderSettings provider_;
    const domain::Allowlist recipients_;
    const std::chrono::milliseconds lease_;
    postgres::Pool& pool_;
    boost::asio::io_context io_{1};
    std::shared_ptr<http::Origin> origin_;
    std::map<domain::Ending, prometheus::Counter*> outcomes_;
};

}  // namespace worker
