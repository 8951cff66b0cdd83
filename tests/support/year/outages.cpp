#include "tests/support/year/outages.hpp"

#include <algorithm>

namespace year {

namespace {

using namespace std::chrono_literals;
using std::chrono::minutes;

// Between two that would hide each other, and around those after which somebody may be in doubt.
constexpr auto margin = 3h;

struct Wish {
    Fault fault;
    int a_year;
    minutes longest;           ///< in a year
    minutes longest_in_short;  ///< in anything much shorter
};

// Slowness is short: each step in it spends a try of what is due.
const std::vector<Wish> wishes{
    {Fault::planner, 12, 10 * 24h, 60h},
    {Fault::dispatcher, 12, 60h, 14h},
    {Fault::worker, 18, 60h, 10h},
    {Fault::provider_unavailable, 6, 60h, 8h},
    {Fault::provider_refusing, 6, 30h, 5h},
    {Fault::provider_slow, 3, 30min, 20min},
    {Fault::provider_dropping, 4, 50min, 30min},
    {Fault::pause, 8, 30h, 6h},
    {Fault::type_pause, 6, 96h, 20h},
};

/// Ends of February, changes of clocks north and south, New Year.
std::vector<Instant> moments_of_interest() {
    const auto at = [](int year, unsigned month, unsigned day, std::chrono::microseconds time) {
        return Instant(
            std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) +
            time);
    };
    return {at(2027, 2, 28, 9h),   at(2027, 3, 1, 0h),   at(2027, 3, 14, 8h),  at(2027, 3, 28, 1h),
            at(2027, 4, 3, 15h),   at(2027, 10, 2, 16h), at(2027, 10, 31, 1h), at(2027, 11, 7, 7h),
            at(2027, 12, 31, 12h), at(2028, 1, 1, 0h),   at(2028, 2, 28, 18h), at(2028, 2, 29, 9h)};
}

/// The planner and a pause of one type may come together with anything else.
bool exclusive(Fault fault) {
    return fault != Fault::planner && fault != Fault::type_pause;
}

bool collides(const Outage& one, const Outage& other) {
    const bool both = one.fault == other.fault || (exclusive(one.fault) && exclusive(other.fault));
    return both && one.from < other.to + margin && other.from < one.to + margin;
}

class Placing {
public:
    explicit Placing(const World& world)
        : world_(world), dice_(world.options.seed, 2), short_(world.options.days < 100) {}

    std::vector<Outage> all() {
        for (const Wish& wish : wishes) {
            const int count = std::max(short_ ? 2 : 1, wish.a_year * world_.options.days / 365);
            for (int i = 0; i < count; ++i) place(wish, i);
        }
        std::ranges::sort(placed_, {}, &Outage::from);
        return std::move(placed_);
    }

private:
    void place(const Wish& wish, int number) {
        const minutes longest = short_ ? wish.longest_in_short : wish.longest;
        // One of each kind is as long as it may be.
        const minutes length = number == 0 ? longest : dice_.lasting(5min, longest);
        for (int attempt = 0; attempt < 200; ++attempt) {
            Outage outage{.fault = wish.fault, .from = somewhere(length), .to = {}, .type = {}};
            outage.to = outage.from + length;
            if (outage.from < world_.begin + 6h || outage.to > world_.end - 6h) continue;
            if (std::ranges::any_of(placed_, [&](const Outage& other) { return collides(outage, other); }))
                continue;
            if (wish.fault == Fault::type_pause) outage.type = dice_.of(world_.types).name;
            if (wish.fault == Fault::worker) {
                outage.then_killed = number % 3 == 0;
                outage.queue_lost = number % 3 == 1;
            }
            placed_.push_back(std::move(outage));
            return;
        }
    }

    /// Every second one begins before a moment of interest and ends after it.
    Instant somewhere(minutes length) {
        static const auto moments = moments_of_interest();
        if (dice_.percent(50))
            return dice_.of(moments) - minutes(dice_.below(static_cast<int>(length.count()) + 1));
        return world_.begin + minutes(dice_.below(world_.options.days * 24 * 60));
    }

    const World& world_;
    Dice dice_;
    const bool short_;
    std::vector<Outage> placed_;
};

}  // namespace

std::vector<Outage> outages(const World& world) {
    return Placing(world).all();
}

bool doubtful(const std::vector<Outage>& outages, Instant at) {
    return std::ranges::any_of(outages, [&](const Outage& outage) {
        return (outage.fault == Fault::provider_slow || outage.fault == Fault::provider_dropping) &&
               at > outage.from - 1h && at < outage.to + 1h;
    });
}

}  // namespace year
