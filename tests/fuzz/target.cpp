// Paths and queries of requests: what is accepted is text without control characters, can be encoded again
// without a loss, and nothing is added.

#include <algorithm>
#include <array>

#include "libcore/domain/text.hpp"
#include "services/api/url.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void check_path(std::string_view path) {
    const auto segments = api::decode_path(path);
    if (!segments) return;
    const auto slashes = std::count(path.begin(), path.end(), '/') - (path.starts_with('/') ? 1 : 0);
    MUST_HOLD(std::cmp_equal(segments->size(), slashes + 1));
    std::string again;
    for (const auto& segment : *segments) {
        MUST_HOLD(domain::is_line(segment));
        again += '/' + fuzz::percent_encoded(segment);
    }
    MUST_HOLD(api::decode_path(again) == segments);
}

bool anything(std::string_view) {
    return true;
}

void check_query(std::string_view text) {
    static constexpr std::array<api::Parameter, 3> known{
        {{"status", anything, ""}, {"limit", anything, ""}, {"cursor", anything, ""}}};
    const auto query = api::Query::read(text, known);
    if (!query) {
        MUST_HOLD(!query.errors().empty());
        for (const auto& error : query.errors()) MUST_HOLD(!error.code.empty() && error.field.size() <= 100);
        return;
    }
    std::string again;
    std::size_t size = 0;
    for (const auto& parameter : known) {
        const auto value = query->value(parameter.name);
        if (!value) continue;
        MUST_HOLD(domain::is_line(*value));
        size += parameter.name.size() + 1 + value->size();
        again += std::string(parameter.name) + '=' + fuzz::percent_encoded(*value) + '&';
    }
    MUST_HOLD(size <= text.size() + known.size());  // a name may stand without "="
    const auto read = api::Query::read(again, known);
    MUST_HOLD(read);
    for (const auto& parameter : known)
        MUST_HOLD(read->value(parameter.name) == query->value(parameter.name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto target = fuzz::text_of(data, size);
    check_path(target);
    check_query(target);
    return 0;
}
