#include "libcore/http/exchange.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace http {
namespace {

/// Bounds what a provider can ask for; how much of it is honoured is the caller's decision.
constexpr std::chrono::seconds longest_retry_after = std::chrono::days(1);

void append_header(std::string& bytes, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    bytes.append(name).append(": ");
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= ' ' && byte != 0x7f) {
            bytes += c;
        } else {
            constexpr std::string_view hex = "0123456789ABCDEF";
            bytes.append({'%', hex[byte >> 4U], hex[byte & 15U]});
        }
    }
    bytes += "\r\n";
}

}  // namespace

std::string_view to_string(Failure::Kind kind) {
    switch (kind) {
        case Failure::Kind::no_resources:
            return "no_resources";
        case Failure::Kind::dns:
            return "dns";
        case Failure::Kind::refused:
            return "refused";
        case Failure::Kind::unreachable:
            return "unreachable";
        case Failure::Kind::connect_timeout:
            return "connect_timeout";
        case Failure::Kind::tls:
            return "tls";
        case Failure::Kind::reset:
            return "reset";
        case Failure::Kind::timeout:
            return "timeout";
        case Failure::Kind::malformed:
            return "malformed";
    }
    return "";
}

void serialise(const Request& request, std::string_view host, std::string& bytes) {
    bytes.assign("POST ").append(request.target).append(" HTTP/1.1\r\n");
    append_header(bytes, "Host", host);
    append_header(bytes, "Content-Type", request.content_type);
    append_header(bytes, "Content-Length", std::to_string(request.body.size()));
    append_header(bytes, "Idempotency-Key", request.idempotency_key);
    append_header(bytes, "Authorization", request.authorization);
    bytes.append("\r\n").append(request.body);
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, std::chrono::sys_seconds now) {
    if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        std::chrono::seconds::rep count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc{}) return longest_retry_after;
        return std::min(std::chrono::seconds(count), longest_retry_after);
    }
    const auto date = parse_http_date(text);
    if (!date) return std::nullopt;
    return std::clamp(*date - now, std::chrono::seconds(0), longest_retry_after);
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
    const std::string terminated(text);
    for (const char* form :
         {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm fields{};
        const char* end = strptime(terminated.c_str(), form, &fields);
        if (end == terminated.c_str() + terminated.size()) {
            return std::chrono::sys_seconds(std::chrono::seconds(timegm(&fields)));
        }
    }
    return std::nullopt;
}

}  // namespace http
