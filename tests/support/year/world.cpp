#include "tests/support/year/world.hpp"

#include <algorithm>
#include <array>

#include "tests/support/year/outages.hpp"
#include "tests/support/year/people.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;

/// What the type of the users' own dates is in turn.
std::vector<MessageType> club(Instant begin) {
    using model::LeapDay;
    using oracle::Fold;
    using oracle::Gap;
    MessageType type{
        .name = custom_type, .text = "{first_name}, {years} on {date}", .late_text = {}, .rules = {}};
    type.rules.created_at = begin;
    std::vector<MessageType> variants(5, type);
    const auto set = [&](std::size_t i, std::chrono::minutes at, Gap gap, Fold fold, LeapDay leap_day,
                         std::chrono::minutes spread, std::chrono::hours max_lateness) {
        auto& rules = variants[i].rules;
        rules.send_at = at;
        rules.gap = gap;
        rules.fold = fold;
        rules.leap_day = leap_day;
        rules.spread = spread;
        rules.max_lateness = max_lateness;
    };
    // In the hour that summer time takes and winter time repeats, where that is at midnight, and over
    // midnight.
    set(0, 150min, Gap::before_gap, Fold::second, LeapDay::mar1, 0h, 3h);
    set(1, 20h + 15min, Gap::skip, Fold::first, LeapDay::skip, 6h, 5 * 24h);
    set(2, 0h, Gap::skip, Fold::first, LeapDay::feb28, 0h, 24h);
    set(3, 165min, Gap::shift_forward, Fold::first, LeapDay::mar1, 90min, 48h);
    set(4, 23h + 45min, Gap::before_gap, Fold::second, LeapDay::feb28, 0h, 30h);
    variants[1].late_text = "{last_name}, you could have renewed by {date}";
    variants[2].text = "Dear {full_name}: {years}!";
    variants[3].late_text = "Dear {full_name}, it was {date}: {years}";
    variants[4].late_text = "{first_name}, late";
    return variants;
}

std::vector<MessageType> types_since(Instant begin) {
    return {{.name = "BIRTHDAY", .text = "Hey, {full_name} it's your birthday", .late_text = {}, .rules = {}},
            {.name = "ANNIVERSARY",
             .text = "Hey, {full_name} it's your work anniversary! {years} with us!",
             .late_text = {},
             .rules = {}},
            club(begin).front()};
}

bool planner_is_stopped(const World& world, Instant at) {
    return std::ranges::any_of(world.outages, [&](const Outage& outage) {
        return outage.fault == Fault::planner && outage.from <= at && at <= outage.to;
    });
}

std::vector<Edit> edits(const World& world, Dice dice) {
    const auto variants = club(world.begin);
    const int count = std::max(3, world.options.days / 30);
    std::vector<Edit> all;
    for (int i = 1; i <= count; ++i) {
        Instant at = world.begin + std::chrono::minutes(world.options.days * 24 * 60 / (count + 1) * i +
                                                        dice.below(24 * 60));
        while (planner_is_stopped(world, at) || doubtful(world.outages, at)) at += 97min;
        all.push_back({.at = at, .type = variants[static_cast<std::size_t>(i) % variants.size()]});
    }
    return all;
}

std::vector<Instant> plannings(Instant begin, Instant end, Dice dice) {
    std::vector<Instant> all;
    for (Instant at = begin; at < end; at += std::chrono::minutes(dice.between(180, 480))) all.push_back(at);
    return all;
}

std::vector<Instant> cuts(const World& world, Dice dice) {
    std::vector<Instant> all;
    const int count = std::max(2, world.options.days / 30);
    for (int i = 0; i < count; ++i)
        all.push_back(world.begin + std::chrono::minutes(dice.below(world.options.days * 24 * 60)));
    std::ranges::sort(all);
    return all;
}

}  // namespace

World make_world(const Options& options, const std::vector<std::string>& zones) {
    World world{.options = options,
                .types = {},
                .ids = {},
                .people = {},
                .changes = {},
                .outages = {},
                .edits = {},
                .plannings = {},
                .cuts = {}};
    world.begin = std::chrono::sys_days(options.first);
    world.end = world.begin + std::chrono::days(options.days);
    world.types = types_since(world.begin);
    world.outages = outages(world);
    world.plannings = plannings(world.begin, world.end, Dice(options.seed, 3));
    world.cuts = cuts(world, Dice(options.seed, 4));
    world.edits = edits(world, Dice(options.seed, 6));
    populate(world, zones);
    return world;
}

std::string text(Fault fault) {
    static constexpr std::array names{"planner stopped",      "dispatcher stopped", "worker stopped",
                                      "provider answers 503", "provider refuses",   "provider is slow",
                                      "provider drops",       "deliveries paused",  "type paused"};
    return names[static_cast<std::size_t>(fault)];
}

std::string text(const Outage& outage) {
    return text(outage.fault) + " " + outage.type + " " + domain::to_string(outage.from) + " to " +
           domain::to_string(outage.to) + (outage.then_killed ? ", then killed" : "") +
           (outage.queue_lost ? ", hints lost" : "");
}

}  // namespace year
