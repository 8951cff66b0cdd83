// What goes out and what can come back: a request, a response, and the ways to have no response.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace http {

/// A POST. `target` stands on the request line as it is. Empty fields send no header.
struct Request {
    std::string target = {};
    std::string body = {};
    std::string content_type = "application/json";
    std::string idempotency_key = {};
    std::string authorization = {};
};

struct Response {
    int status = 0;
    std::string body;  ///< bytes as they came, at most the first 4 KiB
    std::optional<std::chrono::seconds> retry_after;
};

/// Why there is no response. When nothing of the request was `written` it is provably not sent; otherwise the
/// provider may have acted on it, and nobody can know.
struct Failure {
    enum class Kind {
        no_resources,  ///< no file, port or memory is left to us to connect with
        dns,
        refused,
        unreachable,
        connect_timeout,  ///< of TCP or of TLS
        tls,
        reset,  ///< closed or reset by the peer
        timeout,
        malformed,  ///< an answer that is not HTTP, or whose header is above 8 KiB
    };

    Kind kind;
    bool written = false;
    std::string text;  ///< for a person; never repeats anything of the request
};

using Answer = std::variant<Response, Failure>;

std::string_view to_string(Failure::Kind kind);

/// Replaces `bytes` by the request as it goes over the wire. Control characters in a header value are
/// percent-encoded, so that no value can add a header of its own.
void serialise(const Request& request, std::string_view host, std::string& bytes);

/// Retry-After (RFC 9110, 10.2.3) as delta-seconds or as a date later than `now`, at most a day; nothing when
/// it is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, std::chrono::sys_seconds now);

/// An HTTP-date in any of the three forms that a recipient must accept (RFC 9110, 5.6.7).
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace http
