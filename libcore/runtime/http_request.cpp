#include "libcore/runtime/http_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace runtime {
namespace {

constexpr std::size_t max_head = 16 * 1024;
// RFC 9112, 3, asks for at least 8000.
constexpr std::size_t max_request_line = 8 * 1024;
constexpr std::size_t max_headers = 100;
constexpr std::string_view line_end = "\r\n";
constexpr std::string_view head_end = "\r\n\r\n";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
    static const auto allowed = [] {
        std::array<bool, 256> table{};
        for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
            table[c] = true;
        return table;
    }();
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return allowed[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
    });
}

bool is_target(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Takes the text up to the separator off the front; nothing if there is no separator.
std::optional<std::string_view> take(std::string_view& text, std::string_view separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return std::nullopt;
    const auto taken = text.substr(0, at);
    text.remove_prefix(at + separator.size());
    return taken;
}

std::optional<std::size_t> parse_length(std::string_view digits) {
    std::size_t length = 0;
    const auto* const end = digits.data() + digits.size();
    if (digits.empty() || digits.front() == '-') return std::nullopt;
    const auto [stop, error] = std::from_chars(digits.data(), end, length);
    // A length beyond any size_t is a number all the same: too large, not malformed.
    if (error == std::errc::result_out_of_range && stop == end) return SIZE_MAX;
    if (error != std::errc{} || stop != end) return std::nullopt;
    return length;
}

/// Whether the comma-separated list has the word.
bool lists(std::string_view list, std::string_view word) {
    while (const auto item = take(list, ","))
        if (equal_ignoring_case(trimmed(*item), word)) return true;
    return equal_ignoring_case(trimmed(list), word);
}

std::size_t count(const Request& request, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count_if(
        request.headers, [&](const auto& h) { return equal_ignoring_case(h.first, name); }));
}

/// 0, or the status to refuse with. `HTTP/1.0` is told by `old_version`.
int parse_request_line(std::string_view line, Request& request, bool& old_version) {
    const auto method = take(line, " ");
    auto target = take(line, " ");
    if (!method || !is_token(*method) || !target || !is_target(*target)) return 400;
    if (line != "HTTP/1.1" && line != "HTTP/1.0") return line.starts_with("HTTP/") ? 505 : 400;
    old_version = line == "HTTP/1.0";
    // Absolute form, as clients of a proxy write it.
    for (const std::string_view scheme : {"http://", "https://"})
        if (target->starts_with(scheme))
            target->remove_prefix(std::min(target->find('/', scheme.size()), target->size()));
    if (!target->starts_with('/')) return 400;
    request.method = *method;
    request.query = *target;
    const auto path = take(request.query, "?");
    request.path = path.value_or(*target);
    if (!path) request.query = {};
    return 0;
}

int parse_header_lines(std::string_view lines, Request& request) {
    request.headers.reserve(16);
    while (const auto line = take(lines, line_end)) {
        auto value = *line;
        const auto name = take(value, ":");
        if (!name || !is_token(*name) || !is_field_value(value)) return 400;
        if (request.headers.size() == max_headers) return 431;
        request.headers.emplace_back(*name, trimmed(value));
    }
    return 0;
}

/// What the headers say about the message as a whole: its body, its host, and the life of the connection.
int apply_headers(const Request& request, bool old_version, std::size_t& body_size, ParsedRequest& result) {
    const auto hosts = count(request, "host");
    if (hosts > 1 || (hosts == 0 && !old_version)) return 400;
    const auto lengths = count(request, "content-length");
    if (count(request, "transfer-encoding") > 0) return lengths > 0 || old_version ? 400 : 411;
    if (lengths > 1) return 400;
    if (lengths == 1) {
        const auto length = parse_length(request.header("content-length"));
        if (!length) return 400;
        body_size = *length;
    }
    if (const auto expect = request.header("expect"); !expect.empty()) {
        if (!equal_ignoring_case(expect, "100-continue")) return 417;
        result.expects_continue = !old_version;
    }
    const auto connection = request.header("connection");
    result.keep_alive = old_version ? lists(connection, "keep-alive") : !lists(connection, "close");
    return 0;
}

ParsedRequest refused(int status) {
    ParsedRequest result;
    result.state = ParsedRequest::State::refused;
    result.status = status;
    return result;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
    const auto found = std::ranges::find_if(
        headers, [&](const auto& header) { return equal_ignoring_case(header.first, name); });
    return found == headers.end() ? std::string_view{} : found->second;
}

std::vector<std::string_view> Request::all_headers(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) values.push_back(value);
    return values;
}

ParsedRequest parse_request(std::string_view received, std::size_t max_size) {
    ParsedRequest result;
    // RFC 9112, 2.2: an empty line before the request line is forgiven.
    const std::size_t skipped = received.starts_with(line_end) ? line_end.size() : 0;
    if (std::min(received.find(line_end, skipped), received.size()) - skipped > max_request_line)
        return refused(414);
    const auto end = received.find(head_end, skipped);
    const auto head_size = std::min(end, received.size());
    if (head_size > max_head) return refused(431);
    if (end == std::string_view::npos) {
        result.size = received.size() + 1;
        return result;
    }
    auto lines = received.substr(skipped, end + line_end.size() - skipped);
    bool old_version = false;
    std::size_t body_size = 0;
    if (const int status = parse_request_line(*take(lines, line_end), result.request, old_version))
        return refused(status);
    if (const int status = parse_header_lines(lines, result.request)) return refused(status);
    if (const int status = apply_headers(result.request, old_version, body_size, result))
        return refused(status);

    const auto body_begin = end + head_end.size();
    if (body_begin > max_size || body_size > max_size - body_begin) return refused(413);
    result.size = body_begin + body_size;
    if (received.size() < result.size) return result;
    result.state = ParsedRequest::State::complete;
    result.request.body = received.substr(body_begin, body_size);
    result.head_only = result.request.method == "HEAD";
    if (result.head_only) result.request.method = "GET";
    return result;
}

}  // namespace runtime
