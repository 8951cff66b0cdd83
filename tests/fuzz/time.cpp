// Dates, instants, times of day and durations as clients write them: what is accepted is written as the same.

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
    if (const auto time = domain::parse_time_of_day(text)) {
        MUST_HOLD(domain::parse_time_of_day(domain::to_string(*time)) == time);
    }
    if (const auto duration = domain::parse_duration(text)) {
        MUST_HOLD(domain::parse_duration(domain::to_string(*duration)) == duration);
    }
    return 0;
}
