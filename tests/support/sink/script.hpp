// How the sink misbehaves: rules, tried in order for each request; the first that applies decides. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/domain/result.hpp"

namespace sink {

struct Rule {
    /// It applies while `times` are left, when `key` and `email` are contained in the request's, to a share
    /// of `rate` of those.
    std::string key;
    std::string email;
    std::optional<std::uint64_t> times;
    double rate = 1;

    /// What the answer is. A 2xx delivers, unless `success_false`.
    int status = 200;
    std::string body;          ///< what no JSON text can hold comes as `body_hex`
    std::uint64_t repeat = 1;  ///< so many times the body, one behind the other
    std::vector<std::pair<std::string, std::string>> headers;
    bool success_false = false;

    /// How it comes: late, byte by byte, or never.
    std::chrono::milliseconds delay{0};
    std::chrono::milliseconds drip{0};
    bool drop = false;                ///< delivers, then closes the connection without an answer
    bool close_after_accept = false;  ///< applies to connections, and not to requests
};

class Script {
public:
    /// `{"seed": 7, "outage_ms": 5000, "rules": [{"key": "…", "email": "…", "times": 3, "rate": 0.1,
    /// "status": 503, "body": "…", "body_hex": "00ff", "repeat": 2, "headers": {"Retry-After": "2"},
    /// "success_false": true, "delay_ms": 200, "drip_ms": 10, "drop": true, "close_after_accept": true}]}`,
    /// every member optional.
    static domain::Result<Script> parse(std::string_view json);

    /// As it was parsed.
    const std::string& json() const { return json_; }
    /// For so long nobody listens and no connection stays open, from the moment the script is put.
    std::chrono::milliseconds outage() const { return outage_; }

    /// The rule for this request, if there is one; it has then been applied once more.
    std::optional<Rule> for_request(std::string_view key, std::string_view email);
    bool closes_connection();

private:
    bool applies(Rule& rule);

    std::string json_ = "{}";
    std::chrono::milliseconds outage_{0};
    std::vector<Rule> rules_;
    std::mt19937_64 die_;
};

}  // namespace sink
