#include "libcore/domain/slots.hpp"

#include <algorithm>
#include <charconv>

namespace domain {

using namespace std::chrono_literals;

namespace {

constexpr int highest_rate = 100'000;

}  // namespace

Slots SlotSequence::lease(SlotTime now, std::chrono::nanoseconds interval, std::chrono::nanoseconds horizon,
                          int wanted) {
    const auto first = std::max(next_, now);
    const auto latest = now + horizon;
    if (first > latest || wanted <= 0) return {.first = first, .interval = interval};
    const auto within = (latest - first) / interval + 1;
    const int count = static_cast<int>(std::min<std::chrono::nanoseconds::rep>(within, wanted));
    next_ = first + count * interval;
    return {first, interval, count};
}

void SlotsInHand::add(const Slots& slots) {
    if (slots.count > 0) slots_.push_back(slots);
}

std::optional<std::chrono::nanoseconds> SlotsInHand::take(SlotTime now) {
    forget_missed(now);
    if (slots_.empty()) return std::nullopt;
    Slots& next = slots_.front();
    if (next.first > now) return next.first - now;
    next.first += next.interval;
    if (--next.count == 0) slots_.pop_front();
    return 0ns;
}

int SlotsInHand::count(SlotTime now) {
    forget_missed(now);
    int count = 0;
    for (const Slots& slots : slots_) count += slots.count;
    return count;
}

void SlotsInHand::forget_missed(SlotTime now) {
    while (!slots_.empty() && slots_.front().first + grace < now) {
        Slots& oldest = slots_.front();
        const std::chrono::nanoseconds late = now - grace - oldest.first;
        const auto missed = late / oldest.interval + (late % oldest.interval > 0ns ? 1 : 0);
        if (missed >= oldest.count) {
            slots_.pop_front();
            continue;
        }
        oldest.first += missed * oldest.interval;
        oldest.count -= static_cast<int>(missed);
    }
}

std::optional<RateLimit> parse_rate(std::string_view text) {
    if (text.ends_with("/s")) text.remove_suffix(2);
    int requests = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), requests);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (requests < 1 || requests > highest_rate) return std::nullopt;
    return RateLimit{.requests = requests, .window = 1s};
}

}  // namespace domain
