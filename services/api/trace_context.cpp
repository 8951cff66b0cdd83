#include "services/api/trace_context.hpp"

#include <algorithm>

namespace api {

namespace {

// version "-" trace-id "-" parent-id "-" flags
constexpr std::size_t trace_at = 3, trace_length = 32;
constexpr std::size_t parent_at = 36, parent_length = 16;
constexpr std::size_t flags_at = 53, whole_length = 55;

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

std::string_view trace_id(std::string_view traceparent) {
    if (traceparent.size() < whole_length) return {};
    const auto version = traceparent.substr(0, 2);
    const auto trace = traceparent.substr(trace_at, trace_length);
    const auto parent = traceparent.substr(parent_at, parent_length);
    const auto flags = traceparent.substr(flags_at, 2);
    const auto rest = traceparent.substr(whole_length);
    const bool well_formed = traceparent[trace_at - 1] == '-' && traceparent[parent_at - 1] == '-' &&
                             traceparent[flags_at - 1] == '-' && is_hex(version) && is_hex(trace) &&
                             is_hex(parent) && is_hex(flags) && !is_zero(trace) && !is_zero(parent);
    const bool known = version == "00" ? rest.empty() : version != "ff" && (rest.empty() || rest[0] == '-');
    return well_formed && known ? trace : std::string_view();
}

}  // namespace api
