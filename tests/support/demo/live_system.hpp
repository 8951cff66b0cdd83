// The running system as the demo meets it: people go in through the API, the clock is the database's, and
// what came out stands in the e-mail sink's ledger. Every call blocks; failures are std::runtime_error.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "libcore/domain/user.hpp"
#include "libcore/postgres/connection.hpp"
#include "tests/support/demo/verdict.hpp"
#include "tests/support/http_client.hpp"

namespace demo {

/// Creates all these people over several kept-alive connections; `progress` hears of every one, from any of
/// their threads. Any answer but 201 ends it. Returns early when stop is requested.
void create_people(const std::vector<domain::UserFields>& people, int api_port, const std::string& api_key,
                   const std::function<void()>& progress, const std::stop_token& stop);

struct Progress {
    int planned = 0;
    int queued = 0;  ///< in the broker or in a worker's hands
    int sent = 0;
};

class Database {
public:
    explicit Database(const std::string& url);

    /// Every name of a zone that the system accepts.
    std::vector<std::string> zones();
    /// From now on the clock of all services shows `base` and runs `factor` times as fast; 0 stops it.
    Clock set_clock(domain::Instant base, double factor);
    /// Of the messages due within [begin, end].
    Progress progress(domain::Instant begin, domain::Instant end);

private:
    postgres::Connection connection_;
};

/// The e-mails that went out since this object was made.
class SinkLedger {
public:
    explicit SinkLedger(int port);

    /// Reads what is new, and returns everything so far.
    const std::vector<Email>& catch_up();

private:
    bool read_page();

    support::HttpClient client_;
    std::int64_t last_ = 0;
    std::vector<Email> emails_;
};

}  // namespace demo
