// What a handler answers, and how it is written on the wire. Pure but for the Date header's clock.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime {

struct Reply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
};

/// RFC 9457: `{"type":"about:blank","title":…,"status":…,"code":…}`. All arguments are our own plain ASCII.
Reply problem(int status, std::string_view title, std::string_view code);

/// The answer to a request that http_request.hpp refuses.
Reply refusal(int status);

/// Head and body; `head_only` leaves the body out and keeps its length. Header names and values are our own
/// and have no line breaks.
std::string serialize(const Reply& reply, bool head_only, bool keep_alive);

}  // namespace runtime
