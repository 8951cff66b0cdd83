// Paths and queries of requests: what is decoded can be encoded again without a loss, and nothing is added.

#include <algorithm>

#include "services/api/url.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

void check_path(std::string_view path) {
    const auto segments = api::decode_path(path);
    if (!segments) {
        MUST_HOLD(path.find('%') != std::string_view::npos);
        return;
    }
    const auto slashes = std::count(path.begin(), path.end(), '/') - (path.starts_with('/') ? 1 : 0);
    MUST_HOLD(std::cmp_equal(segments->size(), slashes + 1));
    std::string again;
    for (const auto& segment : *segments) again += '/' + fuzz::percent_encoded(segment);
    MUST_HOLD(api::decode_path(again) == segments);
}

void check_query(std::string_view query) {
    const auto parameters = api::decode_query(query);
    if (!parameters) {
        MUST_HOLD(query.find('%') != std::string_view::npos);
        return;
    }
    std::string again;
    std::size_t size = 0;
    for (const auto& [name, value] : *parameters) {
        again +=
            (again.empty() ? "" : "&") + fuzz::percent_encoded(name) + '=' + fuzz::percent_encoded(value);
        size += name.size() + value.size();
    }
    MUST_HOLD(size <= query.size());
    MUST_HOLD(api::decode_query(again) == parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto target = fuzz::text_of(data, size);
    check_path(target);
    check_query(target);
    return 0;
}
