#include "libcore/json/delivery.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "libcore/json/parser.hpp"
#include "libcore/json/writer.hpp"

namespace json {

namespace {

constexpr std::int64_t version = 1;
constexpr std::size_t longest_trace = 128;
constexpr std::array<std::string_view, 5> names = {"v", "message_id", "delivery_date", "attempt", "trace"};

// A hint has about 160 bytes; more than this is not one.
constexpr Limits limits{.bytes = 1024, .depth = 1, .values = names.size()};

template <class Parse>
auto read_text(const Value& document, std::string_view name, domain::Errors& errors, const char* rule,
               Parse parse) {
    const auto* value = document.find(name);
    const auto* text = value == nullptr ? nullptr : value->string();
    auto parsed = text == nullptr ? std::nullopt : parse(*text);
    if (!parsed) errors.push_back({"invalid", std::string(name), rule});
    return parsed;
}

std::optional<std::int64_t> read_integer(const Value& document, std::string_view name, domain::Errors& errors,
                                         const char* rule, std::int64_t least, std::int64_t most) {
    const auto* value = document.find(name);
    const auto number = value == nullptr ? std::nullopt : value->integer();
    if (number && *number >= least && *number <= most) return number;
    errors.push_back({"invalid", std::string(name), rule});
    return std::nullopt;
}

std::optional<std::string> parse_trace(const std::string& text) {
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    if (text.size() > longest_trace || !std::all_of(text.begin(), text.end(), printable)) return std::nullopt;
    return text;
}

}  // namespace

std::string encode(const domain::Delivery& delivery) {
    Writer writer;
    writer.begin_object()
        .member("v", version)
        .member("message_id", delivery.message_id)
        .member("delivery_date", delivery.delivery_date)
        .member("attempt", delivery.attempt)
        .member("trace", delivery.trace)
        .end_object();
    return writer.take();
}

domain::Result<domain::Delivery> decode_delivery(std::string_view text) {
    const auto document = parse(text, limits);
    if (!document) return document.errors();
    if (document->object() == nullptr) return domain::Error{"wrong_type", "", "must be a JSON object"};

    domain::Errors errors;
    for (const auto& member : *document->object()) {
        if (std::find(names.begin(), names.end(), member.key) == names.end()) {
            errors.push_back({"unknown_field", member.key, "is not a field of a delivery"});
        }
    }
    read_integer(*document, "v", errors, "must be 1", version, version);
    const auto message_id = read_text(*document, "message_id", errors, "must be a UUID", domain::parse_uuid);
    const auto date = read_text(*document, "delivery_date", errors, "must be a date", domain::parse_date);
    const auto attempt = read_integer(*document, "attempt", errors, "must be an integer from 0 to 2147483647",
                                      0, std::numeric_limits<int>::max());
    const auto trace =
        read_text(*document, "trace", errors, "must be at most 128 printable ASCII characters", parse_trace);
    if (!errors.empty()) return errors;
    return domain::Delivery{*message_id, *date, static_cast<int>(*attempt), *trace};
}

}  // namespace json
