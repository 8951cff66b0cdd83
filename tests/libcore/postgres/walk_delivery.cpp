// What planners, dispatchers, workers and rescuers do.
#include <algorithm>

#include "tests/libcore/postgres/walk.hpp"

namespace walk {

namespace {

constexpr auto horizon = 26h;
constexpr auto long_lease = std::chrono::hours(10);

/// As a worker does: of several hints for a message the newest.
void add_hint(std::vector<domain::Delivery>& hints, const domain::Delivery& hint) {
    const auto same = std::ranges::find(hints, hint.message_id, &domain::Delivery::message_id);
    if (same == hints.end()) {
        hints.push_back(hint);
    } else if (same->attempt < hint.attempt) {
        *same = hint;
    }
}

}  // namespace

void Walk::plan(Dice& dice) {
    tell("plan");
    const int size = dice.one_in(2) ? 10'000 : 1 + dice.below(2);
    for (;;) {
        auto units = units_due();
        if (units.empty()) break;
        if (dice.one_in(2)) dice.shuffle(units);
        for (const auto& unit : units) plan_unit(unit, size);
    }
}

// What the model says is to be planned, as well.
std::vector<postgres::Unit> Walk::units_due() {
    auto units = postgres::units_due(real_.pool, horizon);
    std::set<model::Unit> are, should;
    for (const auto& unit : units) are.insert({unit.message_type, unit.timezone, unit.delivery_date});
    for (const auto& unit : model_.units_due(horizon)) should.insert(unit);
    for (const auto& unit : should)
        expect(are.contains(unit),
               "is not planned: " + unit.type + " " + unit.zone + " " + domain::to_string(unit.day));
    for (const auto& unit : are)
        expect(should.contains(unit), "is planned, and should not be: " + unit.type + " " + unit.zone + " " +
                                          domain::to_string(unit.day));
    return units;
}

void Walk::plan_unit(const postgres::Unit& unit, int size) {
    postgres::plan_unit(real_.pool, unit, size);
    model_.plan({unit.message_type, unit.timezone, unit.delivery_date});
}

// Some of the units, the last of them up to its first chunk.
void Walk::plan_partly(Dice& dice) {
    static constexpr postgres::Statement chunk{"walk_chunk",
                                               "SELECT finished FROM plan_chunk($1, $2, $3, 1)"};
    auto units = units_due();
    if (dice.one_in(2)) dice.shuffle(units);
    const auto count = static_cast<std::size_t>(dice.below(8));
    tell("plan partly");
    for (std::size_t i = 0; i < units.size() && i <= count; ++i) {
        if (i < count) {
            plan_unit(units[i], 1 + dice.below(3));
            continue;
        }
        const model::Unit unit{units[i].message_type, units[i].timezone, units[i].delivery_date};
        if (real_.pool.run(chunk, unit.type, unit.zone, unit.day).front().get<bool>(0))
            model_.plan(unit);
        else
            compare(model_.plannable(unit));
    }
}

void Walk::replan(Dice& dice) {
    const auto id = someone(dice);
    if (!id) return;
    tell("replan " + domain::to_string(*id).substr(24));
    postgres::replan(real_.pool, std::span(&*id, 1));
    model_.replan(*id);
}

void Walk::dispatch(Dice& dice) {
    std::vector<model::Instant> due;
    for (const auto& [key, message] : model_.rows)
        if (message.due && *message.due <= model_.now) due.push_back(*message.due);
    // A limit takes those that are due longest: up to one of the instants, with all that share it.
    auto until = model_.now;
    if (!due.empty() && dice.one_in(3)) until = dice.of(due);
    const auto limit = std::ranges::count_if(due, [&](auto instant) { return instant <= until; });
    tell("dispatch " + std::to_string(limit));

    std::vector<domain::Delivery> published;
    const auto report = postgres::dispatch(
        real_.pool, std::max(static_cast<int>(limit), 1),
        [&](std::span<const domain::Delivery> batch) { published.assign(batch.begin(), batch.end()); });
    const auto taken = model_.dispatch(until);
    std::map<model::Key, int> should;
    for (const auto& key : taken.queued) should[key] = model_.rows.at(key).attempt;
    const std::set<Uuid> outdated(report.outdated.begin(), report.outdated.end());
    expect(outdated == taken.outdated, "others are outdated");
    replan_outdated(outdated, dice.one_in(4));
    compare();
    expect(published.size() == should.size(), "the dispatch published " + std::to_string(published.size()));
    for (const auto& hint : published) {
        const bool known = std::ranges::any_of(should, [&](const auto& one) {
            return model_.rows.at(one.first).id == hint.message_id && one.second == hint.attempt &&
                   one.first.day == hint.delivery_date;
        });
        expect(known, "the dispatch published a hint for something else");
        hints_.push_back(hint);
    }
}

void Walk::fail_to_dispatch(Dice&) {
    tell("dispatch without a broker");
    bool failed = false;
    std::set<Uuid> outdated;
    try {
        const auto report =
            postgres::dispatch(real_.pool, 100, [](auto) { throw std::runtime_error("no broker"); });
        outdated.insert(report.outdated.begin(), report.outdated.end());
    } catch (const std::runtime_error&) {
        failed = true;
    }
    if (failed) return;
    model_.dispatch(model_.now);  // then nothing was to be published
    replan_outdated(outdated, false);
}

// As a scheduler or a worker does, if it lives long enough.
void Walk::replan_outdated(const std::set<Uuid>& users, bool dies) {
    if (users.empty()) return;
    tell(std::to_string(users.size()) + " users are outdated" + (dies ? ", and it dies" : ""));
    if (dies) return;
    postgres::replan(real_.pool, std::vector(users.begin(), users.end()));
    for (const auto& user : users) model_.replan(user);
}

void Walk::claim(Dice& dice) {
    if (hints_.empty()) return;
    std::vector<domain::Delivery> hints;
    for (int i = 1 + dice.below(6); i > 0; --i)
        add_hint(
            hints,
            dice.one_in(3)
                ? dice.of(hints_)
                : hints_[hints_.size() - 1 -
                         static_cast<std::size_t>(dice.below(std::min(4, static_cast<int>(hints_.size()))))]);
    const bool lease_over = dice.one_in(4);
    const auto report = postgres::claim(real_.pool, hints, {.lease = lease_over ? 0ms : long_lease});
    tell("claim " + std::to_string(hints.size()) + " hints, get " + std::to_string(report.claimed.size()) +
         (lease_over ? ", and die" : ""));
    const auto should = model_.claim(hints, lease_over);
    std::set<Uuid> outdated;
    for (const auto& one : report.outdated) outdated.insert(one.user_id);
    expect(outdated == should.outdated, "others are outdated");
    replan_outdated(outdated, dice.one_in(4));
    expect(report.claimed.size() == should.claimed.size(),
           "should claim " + std::to_string(should.claimed.size()));
    for (const auto& one : report.claimed)
        claims_.push_back({one.message_id, one.delivery_date, one.attempt, one.failures, one.in_doubt});
}

void Walk::give_back(Dice& dice) {
    const std::chrono::seconds delay(dice.below(100));
    if (dice.one_in(2) && !hints_.empty()) {
        const auto& hint = dice.of(hints_);
        tell("give back a hint");
        postgres::give_back_hints(real_.pool, std::span(&hint, 1), delay);
        model_.give_back_hints(std::span(&hint, 1), delay);
    } else if (!claims_.empty()) {
        const auto& held = dice.of(claims_);
        tell("give back a claim");
        postgres::Claimed claim;
        claim.message_id = held.id;
        claim.delivery_date = held.date;
        claim.attempt = held.attempt;
        postgres::give_back_claims(real_.pool, std::span(&claim, 1), delay);
        model_.give_back_claim(held.id, held.attempt, delay);
    }
}

void Walk::record(Dice& dice) {
    if (claims_.empty()) return;
    const auto& held = dice.one_in(3) ? dice.of(claims_) : claims_.back();
    domain::Outcome outcome{.failures = held.failures, .in_doubt = held.in_doubt || dice.one_in(2)};
    outcome.ending =
        dice.of(std::vector{domain::Ending::sent, domain::Ending::retrying, domain::Ending::retrying,
                            domain::Ending::unknown, domain::Ending::failed});
    if (outcome.in_doubt && outcome.ending == domain::Ending::failed)
        outcome.ending = domain::Ending::unknown;
    if (outcome.ending == domain::Ending::unknown) outcome.in_doubt = true;
    if (outcome.ending != domain::Ending::sent) ++outcome.failures;
    outcome.delay = std::chrono::seconds(2 + dice.below(5000));
    tell("record ending " + std::to_string(static_cast<int>(outcome.ending)) + " of attempt " +
         std::to_string(held.attempt) + (outcome.in_doubt ? ", in doubt" : ""));
    // As the provider counts the life of its keys.
    const auto real_now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const postgres::Attempted attempted{.message_id = held.id,
                                        .delivery_date = held.date,
                                        .attempt = held.attempt,
                                        .outcome = outcome,
                                        .http_status = 200,
                                        .body = "",
                                        .error = "",
                                        .started_at = real_now,
                                        .finished_at = real_now};
    const auto landed = postgres::record_outcomes(real_.pool, std::span(&attempted, 1)).size();
    expect(model_.record(held.id, held.attempt, outcome) == (landed == 1),
           "the record landed, or should have");
}

void Walk::rescue(Dice& dice) {
    const bool lost = dice.one_in(2), park = dice.one_in(4);
    tell(std::string("rescue") + (lost ? ", hints are lost" : "") + (park ? ", park" : ""));
    postgres::rescue(real_.pool, {.lease = 0ms,
                                  .lost_after = 0ms,
                                  .queue_is_shallow = lost,
                                  .in_doubt = park ? domain::InDoubt::park : domain::InDoubt::resend,
                                  .max_rescues = 1,
                                  .batches = 1000});
    model_.rescue(lost, park, 1);
}

// To the next instant and on, so that there is something in hand.
void Walk::deliver(Dice& dice) {
    plan(dice);
    std::optional<model::Instant> next;
    for (const auto& [key, message] : model_.rows)
        if (message.due && (!next || *message.due < *next)) next = message.due;
    if (!next) return;
    if (*next > model_.now) set_clock(*next);
    compare();
    dispatch(dice);
    if (dice.below(4) > 0) claim(dice);
    if (dice.one_in(2)) record(dice);
}

void Walk::cancel(Dice& dice) {
    if (model_.rows.empty()) return;
    const auto id = some_message(dice);
    tell("cancel " + domain::to_string(id).substr(24));
    const auto refused = postgres::cancel(real_.pool, id, {"somebody", "why"});
    expect((refused ? std::optional(refused->refusal) : std::nullopt) == model_.cancel(id),
           "the cancel was done or refused for another reason");
}

void Walk::replay(Dice& dice) {
    if (model_.rows.empty()) return;
    const auto id = some_message(dice);
    const domain::ReplayOptions options{.late = dice.one_in(2), .forced = dice.one_in(3)};
    tell("replay " + domain::to_string(id).substr(24) + (options.late ? ", late" : "") +
         (options.forced ? ", forced" : ""));
    const auto refused = postgres::replay(real_.pool, id, {"somebody", "why"}, options, std::chrono::days(1));
    expect((refused ? std::optional(refused->refusal) : std::nullopt) == model_.replay(id, options),
           "the replay was done or refused for another reason");
}

Uuid Walk::some_message(Dice& dice) {
    auto row = model_.rows.begin();
    std::advance(row, dice.below(static_cast<int>(model_.rows.size())));
    return *row->second.id;
}

}  // namespace walk
