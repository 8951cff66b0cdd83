// One HTTP request out of received bytes: what is accepted lies within them, is framed in one way only, and
// does not depend on how the bytes arrived.

#include <algorithm>
#include <charconv>

#include "libcore/runtime/http_request.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using runtime::ParsedRequest;
using State = ParsedRequest::State;

constexpr std::size_t max_size = 2048;

bool within(std::string_view part, std::string_view whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool breaks_a_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (auto& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return lower;
}

void check_framing(const ParsedRequest& parsed) {
    const auto& request = parsed.request;
    MUST_HOLD(request.header("transfer-encoding").empty());
    const auto length = request.header("content-length");
    std::size_t announced = 0;
    std::from_chars(length.data(), length.data() + length.size(), announced);
    MUST_HOLD(announced == request.body.size());
    const auto lengths =
        std::count_if(request.headers.begin(), request.headers.end(),
                      [](const auto& header) { return lower_case(header.first) == "content-length"; });
    MUST_HOLD(lengths <= 1);
}

void check_parts(const ParsedRequest& parsed, std::string_view received) {
    const auto& request = parsed.request;
    MUST_HOLD(parsed.size > 0 && parsed.size <= received.size() && parsed.size <= max_size);
    if (!parsed.head_only) MUST_HOLD(within(request.method, received));
    for (const auto part : {request.path, request.query, request.body}) MUST_HOLD(within(part, received));
    MUST_HOLD(!request.method.empty() && !breaks_a_line(request.method));
    MUST_HOLD(request.path.starts_with('/') && !breaks_a_line(request.path) && !breaks_a_line(request.query));
    for (const auto& [name, value] : request.headers) {
        MUST_HOLD(within(name, received) && within(value, received));
        MUST_HOLD(!name.empty() && !breaks_a_line(name) && !breaks_a_line(value));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto received = fuzz::text_of(data, size);
    const auto parsed = runtime::parse_request(received, max_size);
    if (parsed.state == State::refused) {
        MUST_HOLD(parsed.status >= 400 && parsed.status < 600);
        return 0;
    }
    if (parsed.state == State::incomplete) {
        MUST_HOLD(parsed.size > received.size());
        return 0;
    }
    check_parts(parsed, received);
    check_framing(parsed);
    for (std::size_t some = 0; some < parsed.size; some += 1 + some / 4) {
        const auto early = runtime::parse_request(received.substr(0, some), max_size);
        MUST_HOLD(early.state == State::incomplete);
        MUST_HOLD(early.size > some && early.size <= parsed.size);
    }
    const auto exact = runtime::parse_request(received.substr(0, parsed.size), max_size);
    MUST_HOLD(exact.state == State::complete && exact.size == parsed.size);
    MUST_HOLD(exact.request.headers == parsed.request.headers && exact.request.body == parsed.request.body);
    return 0;
}
