#include "libcore/service/duration_window.hpp"

namespace service {

Percentiles percentiles(std::vector<std::chrono::nanoseconds> durations) {
    if (durations.empty()) return {};
    std::ranges::sort(durations);
    const auto rank = [&](std::size_t percent) {
        return durations[(durations.size() * percent + 99) / 100 - 1];
    };
    return {durations.size(), rank(50), rank(95), rank(99), durations.back()};
}

Percentiles percentiles(const DurationWindow& window) {
    std::vector<std::chrono::nanoseconds> durations;
    for (const auto& entry : window.entries()) durations.push_back(entry.duration);
    return percentiles(std::move(durations));
}

}  // namespace service
