// The front door for JSON: what it accepts is within its limits, is text PostgreSQL can hold, and means the
// same when it is written again.

#include <algorithm>

#include "libcore/domain/text.hpp"
#include "libcore/json/parser.hpp"
#include "libcore/json/writer.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

constexpr json::Limits limits{.bytes = 2048, .depth = 8, .values = 64};

/// Counts members and elements; `depth` is of containers around the value.
std::size_t check(const json::Value& value, std::size_t depth) {
    const auto fit_for_the_ledger = [](const std::string& text) {
        return domain::clean_text(text, text.size()) == text;
    };
    std::size_t values = 0;
    if (const auto* text = value.string()) MUST_HOLD(fit_for_the_ledger(*text));
    if (value.integer()) MUST_HOLD(value.real());
    if (value.array() != nullptr || value.object() != nullptr) MUST_HOLD(++depth <= limits.depth);
    if (const auto* elements = value.array()) {
        for (const auto& element : *elements) values += 1 + check(element, depth);
    }
    if (const auto* members = value.object()) {
        for (const auto& member : *members) {
            MUST_HOLD(fit_for_the_ledger(member.key));
            MUST_HOLD(value.find(member.key) == &member.value);  // no key is there twice
            values += 1 + check(member.value, depth);
        }
    }
    return values;
}

/// Numbers by their integer; others are left out, as the writer has none.
void write(json::Writer& writer, const json::Value& value) {
    if (const auto* elements = value.array()) {
        writer.begin_array();
        for (const auto& element : *elements) write(writer, element);
        writer.end_array();
    } else if (const auto* members = value.object()) {
        writer.begin_object();
        for (const auto& member : *members) write(writer.key(member.key), member.value);
        writer.end_object();
    } else if (const auto* text = value.string()) {
        writer.value(*text);
    } else if (const auto* boolean = value.boolean()) {
        writer.value(*boolean);
    } else {
        writer.value(value.integer());
    }
}

std::string written(const json::Value& value) {
    json::Writer writer;
    write(writer, value);
    return writer.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::parse(fuzz::text_of(data, size), limits);
    if (!document) {
        MUST_HOLD(document.errors().size() == 1);
        MUST_HOLD(!document.errors().front().code.empty() && !document.errors().front().text.empty());
        return 0;
    }
    MUST_HOLD(size <= limits.bytes);
    MUST_HOLD(check(*document, 0) <= limits.values);
    const auto text = written(*document);
    const auto again = json::parse(text);
    MUST_HOLD(again);
    MUST_HOLD(written(*again) == text);
    return 0;
}
