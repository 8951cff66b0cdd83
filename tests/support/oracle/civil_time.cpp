#include "tests/support/oracle/civil_time.hpp"

#include <date/tz.h>

namespace oracle {

WallTime wall_time(const domain::Date& day, std::chrono::seconds time_of_day) {
    return WallTime(std::chrono::sys_days(day).time_since_epoch() + time_of_day);
}

Zone::Zone(const std::string& name) : zone_(date::locate_zone(name)) {}

domain::Instant Zone::instant_of(WallTime wall) const {
    const auto info = zone_->get_info(date::local_seconds(wall.time_since_epoch()));
    // `first` is the only offset, the one before a gap, or the earlier one of a fold: in each case ours.
    return domain::Instant(wall.time_since_epoch() - info.first.offset);
}

Meaning Zone::meaning_of(WallTime wall, Gap gap, Fold fold) const {
    const auto info = zone_->get_info(date::local_seconds(wall.time_since_epoch()));
    const auto with = [&](std::chrono::seconds offset) {
        return domain::Instant(wall.time_since_epoch() - offset);
    };
    switch (info.result) {
        case date::local_info::unique:
            return {.instant = with(info.first.offset)};
        case date::local_info::ambiguous:
            return {.instant = with(fold == Fold::first ? info.first.offset : info.second.offset),
                    .in_fold = true};
        default:
            // The offset before the gap shows the time moved on by its length, the one after it moved back.
            if (gap == Gap::skip) return {.instant = std::nullopt, .in_gap = true};
            return {.instant = with(gap == Gap::shift_forward ? info.first.offset : info.second.offset),
                    .in_gap = true};
    }
}

std::chrono::seconds Zone::offset_at(domain::Instant instant) const {
    return zone_->get_info(instant).offset;
}

WallTime Zone::wall_time_at(domain::Instant instant) const {
    return WallTime(std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch() +
                    offset_at(instant));
}

std::vector<Transition> Zone::transitions(domain::Instant from, domain::Instant to) const {
    std::vector<Transition> found;
    auto period = zone_->get_info(from);
    while (period.end < to) {
        const auto next = zone_->get_info(period.end);
        if (next.offset != period.offset) {
            found.push_back({period.end, period.offset, next.offset});
        }
        period = next;
    }
    return found;
}

}  // namespace oracle
