// Dates and instants as clients write them: what is accepted is written as the same moment.

#include "libcore/domain/time.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    if (const auto date = domain::parse_date(text)) {
        MUST_HOLD(date->ok());
        MUST_HOLD(domain::to_string(*date) == text);
    }
    if (const auto instant = domain::parse_instant(text)) {
        const auto written = domain::to_string(*instant);
        MUST_HOLD(domain::parse_instant(written) == instant);
        MUST_HOLD(written.ends_with('Z'));
    }
    return 0;
}
