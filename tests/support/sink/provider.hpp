// The e-mail provider's contract, and the pages that show what was asked of it. No I/O; one thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/sink/ledger.hpp"
#include "tests/support/sink/script.hpp"

namespace sink {

struct Policy {
    /// A key that was delivered is remembered: when it comes again it is answered like the first time, and
    /// nothing goes out. Otherwise every request delivers.
    bool idempotent = true;
    /// The bearer token every request must carry; empty asks for none.
    std::string token = {};
    /// When the ledger holds so many requests the next are answered with 507, so that none goes unrecorded.
    std::size_t capacity = 4'000'000;
};

struct Request {
    std::string_view method;
    std::string_view target;
    std::string_view key;
    std::string_view authorization;
    std::string_view body;
};

struct Reply {
    int status = 200;
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::chrono::milliseconds delay{0};
    std::chrono::milliseconds drip{0};
    bool drop = false;
    std::chrono::milliseconds outage{0};  ///< begins when the reply is out
};

class Provider {
public:
    explicit Provider(Policy policy) : ledger(policy.capacity), policy_(std::move(policy)) {}

    Reply reply(const Request& request, domain::Instant now);

    Ledger ledger;
    Script script;

private:
    Reply send_email(const Request& request, domain::Instant now);
    std::string_view client_of(const Request& request) const;
    Reply put_script(std::string_view json);

    Policy policy_;
};

}  // namespace sink
