// From a request to its reply: request id, route, key, handler, problem, metrics. The route wrapper: whatever
// a handler throws ends here, and nothing internal reaches a client.
#pragma once

#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/log.hpp"
#include "services/api/reference.hpp"
#include "services/api/request_metrics.hpp"

namespace api {

/// Thread-safe.
class Application {
public:
    /// `keys_required` is false only in development on loopback, and only as long as there is no key.
    Application(postgres::Pool& pool, Reference& reference, runtime::Registry& registry, bool keys_required);

    runtime::Reply handle(const runtime::Request& request);

private:
    Answer answer(const runtime::Request& request, const Match& match);
    Answer guarded(const runtime::Request& request, const Match& match, const std::string& request_id);

    postgres::Pool& pool_;
    Reference& reference_;
    RequestMetrics metrics_;
    const bool keys_required_;
    runtime::log::RateLimit unavailable_limit_{std::chrono::seconds(1)};
};

}  // namespace api
