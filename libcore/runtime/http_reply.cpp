#include "libcore/runtime/http_reply.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pistache/http_defs.h>

#include <ctime>
#include <iterator>

#include "libcore/runtime/json_text.hpp"

namespace runtime {
namespace {

/// The Date header's value, made once a second on each thread.
const std::string& http_date() {
    thread_local std::time_t made_at = 0;
    thread_local std::string text;
    if (const auto now = std::time(nullptr); now != made_at) {
        made_at = now;
        text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
    }
    return text;
}

const char* reason(int status) {
    return Pistache::Http::codeString(static_cast<Pistache::Http::Code>(status));
}

}  // namespace

Reply problem(int status, std::string_view title, std::string_view code) {
    Reply reply;
    reply.status = status;
    reply.content_type = "application/problem+json";
    reply.body = R"({"type":"about:blank","title":)";
    append_json_string(reply.body, title);
    fmt::format_to(std::back_inserter(reply.body), R"(,"status":{},"code":)", status);
    append_json_string(reply.body, code);
    reply.body += '}';
    return reply;
}

Reply refusal(int status) {
    switch (status) {
        case 411:
            return problem(status, "A body needs a Content-Length", "length_required");
        case 413:
            return problem(status, "The request is too large", "request_too_large");
        case 414:
            return problem(status, "The request's target is too long", "target_too_long");
        case 417:
            return problem(status, "The expectation cannot be met", "expectation_failed");
        case 431:
            return problem(status, "The request's head is too large", "head_too_large");
        case 505:
            return problem(status, "Only HTTP/1.1 is served", "http_version");
        default:
            return problem(status, "The request is malformed", "malformed_request");
    }
}

std::string serialize(const Reply& reply, bool head_only, bool keep_alive) {
    const bool may_have_body = reply.status >= 200 && reply.status != 204 && reply.status != 304;
    std::string text;
    text.reserve(256 + reply.body.size());
    auto out = std::back_inserter(text);
    fmt::format_to(out, "HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {}\r\n", reply.status,
                   reason(reply.status), http_date(), keep_alive ? "Keep-Alive" : "close");
    for (const auto& [name, value] : reply.headers) fmt::format_to(out, "{}: {}\r\n", name, value);
    if (may_have_body && !reply.body.empty()) fmt::format_to(out, "Content-Type: {}\r\n", reply.content_type);
    if (may_have_body) fmt::format_to(out, "Content-Length: {}\r\n", reply.body.size());
    text += "\r\n";
    if (may_have_body && !head_only) text += reply.body;
    return text;
}

}  // namespace runtime
