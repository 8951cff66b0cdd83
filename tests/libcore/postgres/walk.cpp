#include "tests/libcore/postgres/walk.hpp"

#include <algorithm>

namespace walk {

namespace {

using std::chrono::days;
using std::chrono::floor;

constexpr auto horizon = 26h;
constexpr auto long_lease = std::chrono::hours(10);

const std::vector<std::string> all_zones{"UTC",
                                         "Europe/Berlin",
                                         "America/New_York",
                                         "Asia/Kathmandu",
                                         "Asia/Calcutta",
                                         "Etc/GMT+12",
                                         "Pacific/Kiritimati",
                                         "Pacific/Pago_Pago",
                                         "Pacific/Niue",
                                         "Pacific/Apia",
                                         "Pacific/Chatham",
                                         "Australia/Lord_Howe",
                                         "Australia/Eucla",
                                         "America/St_Johns",
                                         "America/Santiago",
                                         "Africa/Casablanca",
                                         "Antarctica/Troll",
                                         "Pacific/Auckland",
                                         "America/Los_Angeles"};

// Before leap days, New Year, and changes of the clocks north and south.
const std::vector<domain::Date> seasons{2027y / 2 / 26,  2028y / 2 / 26, 2027y / 3 / 12, 2027y / 3 / 26,
                                        2027y / 10 / 29, 2027y / 4 / 2,  2027y / 10 / 1, 2027y / 12 / 30,
                                        2027y / 11 / 5,  2027y / 9 / 24};

const std::vector<std::string> type_names{"BIRTHDAY", "ANNIVERSARY", "RENEWAL"};

/// Every date that stands on users.
void set_date(model::User& user, const std::string& type, const std::optional<domain::Date>& date) {
    std::erase_if(user.occasions, [&](const auto& occasion) { return occasion.type == type; });
    if (date) user.occasions.push_back({type, *date, false});
}

}  // namespace

std::string describe(const model::Key& key, const model::Message& m) {
    std::ostringstream out;
    out << domain::to_string(key.user).substr(24) << " " << key.type << " " << domain::to_string(key.day)
        << " " << domain::to_string(m.status) << " at " << domain::to_string(m.instant) << " in " << m.zone
        << " due " << (m.due ? domain::to_string(*m.due) : "-") << " attempt " << m.attempt << " version "
        << m.version << " failures " << m.failures << " rescues " << m.rescues << " rule '" << m.rule << "'"
        << (m.in_doubt ? " in doubt" : "");
    return out.str();
}

Walk::Walk(Ledger& real, unsigned seed) : real_(real) {
    Dice dice(seed);
    real_.execute(
        "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM message_logs; DELETE FROM "
        "dispatches; "
        "DELETE FROM delivery_attempts; DELETE FROM user_occasions; DELETE FROM users; DELETE FROM "
        "zones_in_use; "
        "DELETE FROM plan_runs; DELETE FROM message_types WHERE name = 'RENEWAL'; COMMIT");
    begin(dice);
}

void Walk::begin(Dice& dice) {
    model_.now = at(dice.of(seasons), std::chrono::minutes(dice.below(36 * 60)));
    real_.set_clock(model_.now);
    real_.execute(
        "INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', '{years}', 'epoch')");
    zones_ = all_zones;
    dice.shuffle(zones_);
    zones_.resize(4);
    for (const auto& name : type_names) set_type(name, dice);
    tell("zones " + zones_[0] + " " + zones_[1] + " " + zones_[2] + " " + zones_[3]);
    for (int i = 0; i < 2; ++i) add(dice);
    compare();
}

void Walk::set_type(const std::string& name, Dice& dice) {
    static constexpr postgres::Statement update{"walk_set_type", R"(
        UPDATE message_types SET send_at = '00:00'::time + $2::interval, gap_rule = $3, fold_rule = $4, leap_day = $5,
               catch_up = $6, max_lateness = $7, spread = $8, created_at = $9, paused_until = NULL WHERE name = $1)"};
    model::Type type;
    type.send_at =
        dice.of(std::vector<std::chrono::seconds>{9h, 9h, 2h + 30min, 1h + 15min, 15min, 23h + 45min});
    type.gap = dice.of(std::vector{oracle::Gap::shift_forward, oracle::Gap::before_gap, oracle::Gap::skip});
    type.fold = dice.of(std::vector{oracle::Fold::first, oracle::Fold::second});
    type.leap_day = dice.of(std::vector{model::LeapDay::feb28, model::LeapDay::mar1, model::LeapDay::skip});
    type.catch_up = dice.one_in(3) ? std::chrono::hours(24) : std::chrono::hours(240);
    type.max_lateness = dice.of(std::vector<std::chrono::minutes>{48h, 48h, 26h, 90min, 240h});
    type.spread = dice.one_in(3) ? 1h : 0h;
    if (dice.one_in(3)) type.created_at = model_.now;
    model_.types[name] = type;
    real_.pool.run(update, name, type.send_at, model::text(type.gap), model::text(type.fold),
                   model::text(type.leap_day), type.catch_up, type.max_lateness, type.spread,
                   type.created_at);
    std::ostringstream out;
    out << name << " at " << type.send_at.count() / 60 << " min, " << model::text(type.gap) << ", "
        << model::text(type.fold) << ", " << model::text(type.leap_day) << ", catch_up " << type.catch_up / 1h
        << " h, max_lateness " << type.max_lateness / 1min << " min, spread " << type.spread / 1h
        << " h, created " << domain::to_string(type.created_at);
    tell(out.str());
}

std::string Walk::story() const {
    std::string all;
    for (const auto& line : lines_) all += line + "\n";
    return all;
}

void Walk::expect(bool holds, const std::string& what) const {
    if (!holds) throw Difference(what);
}

std::map<model::Key, model::Message> read(postgres::Pool& pool) {
    static constexpr postgres::Statement all{"walk_read", R"(
        SELECT id, user_id, message_type, delivery_date, timezone, scheduled_send_time, coalesce(civil_rule, ''),
               status, due_at, attempt, plan_version, failures, rescues, in_doubt
        FROM message_logs)"};
    std::map<model::Key, model::Message> found;
    for (const auto row : pool.run(all)) {
        found[{row.get<Uuid>(1), row.get<std::string>(2), row.get<domain::Date>(3)}] = {
            .id = row.get<Uuid>(0),
            .zone = row.get<std::string>(4),
            .instant = row.get<domain::Instant>(5),
            .rule = row.get<std::string>(6),
            .status = *domain::parse_status(row.get<std::string>(7)),
            .due = row.get<std::optional<domain::Instant>>(8),
            .attempt = row.get<int>(9),
            .version = row.get<int>(10),
            .failures = row.get<int>(11),
            .rescues = row.get<int>(12),
            .in_doubt = row.get<bool>(13)};
    }
    return found;
}

// `allowed` are rows that may or may not be there yet; from now on the model has those that are.
void Walk::compare(const std::map<model::Key, model::Message>& allowed) {
    const auto real = read(real_.pool);
    for (const auto& [key, message] : real)
        if (const auto found = allowed.find(key); found != allowed.end()) model_.rows.insert(*found);
    for (auto& [key, expected] : model_.rows) {
        const auto found = real.find(key);
        expect(found != real.end(), "is missing: " + describe(key, expected));
        if (!expected.id) expected.id = found->second.id;
        expect(expected.id == found->second.id, "was replaced: " + describe(key, expected));
        const auto should = describe(key, expected), is = describe(key, found->second);
        expect(should == is, "should be: " + should + "\n       is: " + is);
    }
    for (const auto& [key, message] : real)
        expect(model_.rows.contains(key), "should not be: " + describe(key, message));
}

std::optional<Uuid> Walk::someone(Dice& dice, bool deleted) {
    std::vector<Uuid> candidates;
    for (const auto& id : people_)
        if (model_.users.at(id).deleted == deleted) candidates.push_back(id);
    if (candidates.empty()) return std::nullopt;
    return dice.of(candidates);
}

// Around now, so that it matters; often today or tomorrow.
domain::Date Walk::some_day(Dice& dice) {
    const auto today = floor<days>(model_.now);
    if (dice.one_in(6)) return 2000y / 2 / 29;
    return today + days(dice.one_in(2) ? dice.below(2) : dice.below(7) - 2);
}

domain::Date Walk::some_date(Dice& dice) {
    const auto day = some_day(dice);
    const auto year = dice.of(std::vector{1900y, 1964y, 1990y, 2020y, 2026y, 2027y});
    const domain::Date date = year / day.month() / day.day();
    return date.ok() ? date : domain::Date(2000y / 2 / 29);
}

void Walk::set_clock(model::Instant now) {
    static constexpr postgres::Statement set{"walk_clock", "UPDATE app_clock SET base = $1"};
    real_.pool.run(set, now);
    model_.now = now;
}

void Walk::add(Dice& dice) {
    static constexpr postgres::Statement share{"walk_share", "SELECT spread_offset($1, '1 hour')"};
    auto person = Ledger::born(some_date(dice), dice.of(zones_));
    if (dice.one_in(4)) person.birthday_date.reset();
    if (dice.one_in(2)) person.anniversary_date = some_date(dice);
    person.opted_out = dice.one_in(8);
    const auto id = real_.add(person);
    model::User user;
    user.zone = person.timezone;
    user.opted_out = person.opted_out;
    set_date(user, "BIRTHDAY", person.birthday_date);
    set_date(user, "ANNIVERSARY", person.anniversary_date);
    const auto offset = real_.pool.run(share, id).front().get<std::chrono::microseconds>(0);
    user.share = static_cast<double>(offset.count()) / 3.6e9;
    model_.add(id, user);
    people_.push_back(id);
    tell("add " + domain::to_string(id).substr(24) + " in " + person.timezone + " born " +
         (person.birthday_date ? domain::to_string(*person.birthday_date) : "-") + " anniversary " +
         (person.anniversary_date ? domain::to_string(*person.anniversary_date) : "-") +
         (person.opted_out ? " opted out" : ""));
}

template <class Change>
void Walk::change_fields(const Uuid& id, const std::string& what, Change change) {
    tell(what + " of " + domain::to_string(id).substr(24));
    domain::UserFields before, after;
    real_.change(id, [&](domain::UserFields& fields) {
        before = fields;
        change(fields);
        after = fields;
    });
    if (std::tie(before.timezone, before.birthday_date, before.anniversary_date, before.opted_out) ==
        std::tie(after.timezone, after.birthday_date, after.anniversary_date, after.opted_out))
        return;
    model_.change(id, [&](model::User& user) {
        user.zone = after.timezone;
        user.opted_out = after.opted_out;
        set_date(user, "BIRTHDAY", after.birthday_date);
        set_date(user, "ANNIVERSARY", after.anniversary_date);
    });
}

void Walk::move_date(Dice& dice, const std::string& type) {
    const auto id = someone(dice);
    if (!id) return;
    const auto date = dice.one_in(5) ? std::nullopt : std::optional(some_date(dice));
    change_fields(*id, type + " to " + (date ? domain::to_string(*date) : "-"),
                  [&](domain::UserFields& fields) {
                      (type == "BIRTHDAY" ? fields.birthday_date : fields.anniversary_date) = date;
                  });
}

void Walk::move_zone(Dice& dice) {
    const auto id = someone(dice);
    const auto zone = dice.of(zones_);
    if (id)
        change_fields(*id, "zone to " + zone, [&](domain::UserFields& fields) { fields.timezone = zone; });
}

void Walk::opt(Dice& dice) {
    const auto id = someone(dice);
    if (!id) return;
    const bool out = !model_.users.at(*id).opted_out;
    change_fields(*id, out ? "opt-out" : "opt-in",
                  [&](domain::UserFields& fields) { fields.opted_out = out; });
}

void Walk::rename(Dice& dice) {
    const auto id = someone(dice);
    if (id) change_fields(*id, "rename", [&](domain::UserFields& fields) { fields.first_name = "Grace"; });
}

void Walk::remove(Dice& dice) {
    const auto id = someone(dice);
    if (!id) return;
    tell("delete " + domain::to_string(*id).substr(24));
    expect(postgres::delete_user(real_.pool, *id), "not deleted");
    model_.change(*id, [](model::User& user) { user.deleted = true; });
}

void Walk::restore(Dice& dice) {
    static constexpr postgres::Statement restore_user{"walk_restore",
                                                      "UPDATE users SET deleted_at = NULL WHERE id = $1"};
    const auto id = someone(dice, true);
    if (!id) return;
    tell("restore " + domain::to_string(*id).substr(24));
    real_.pool.run(restore_user, *id);
    model_.change(*id, [](model::User& user) { user.deleted = false; });
}

void Walk::add_occasion(Dice& dice) {
    static constexpr postgres::Statement insert{
        "walk_add_occasion",
        "INSERT INTO user_occasions VALUES ($1, 'RENEWAL', $2, $3) ON CONFLICT DO NOTHING"};
    const auto id = someone(dice);
    if (!id) return;
    const bool one_off = dice.one_in(3);
    const auto date =
        one_off ? domain::Date(floor<days>(model_.now) + days(dice.below(5) - 1)) : some_date(dice);
    auto& theirs = model_.users.at(*id).occasions;
    if (std::ranges::any_of(theirs, [&](const auto& o) { return o.type == "RENEWAL" && o.date == date; }))
        return;
    tell("occasion " + domain::to_string(date) + (one_off ? " once" : "") + " of " +
         domain::to_string(*id).substr(24));
    real_.pool.run(insert, *id, date, one_off);
    model_.change(*id, [&](model::User& user) { user.occasions.push_back({"RENEWAL", date, one_off}); });
}

void Walk::remove_occasion(Dice& dice) {
    static constexpr postgres::Statement erase{
        "walk_remove_occasion",
        "DELETE FROM user_occasions WHERE user_id = $1 AND message_type = 'RENEWAL' AND date = $2"};
    const auto id = someone(dice);
    if (!id) return;
    const auto theirs = model_.users.at(*id).occasions;
    const auto found = std::ranges::find(theirs, "RENEWAL", &model::Occasion::type);
    if (found == theirs.end()) return;
    tell("no occasion " + domain::to_string(found->date) + " of " + domain::to_string(*id).substr(24));
    real_.pool.run(erase, *id, found->date);
    model_.change(*id, [&](model::User& user) { std::erase(user.occasions, *found); });
}

void Walk::pause_type(Dice& dice) {
    static constexpr postgres::Statement pause{"walk_pause",
                                               "UPDATE message_types SET paused_until = $2 WHERE name = $1"};
    const auto name = dice.of(type_names);
    auto& type = model_.types.at(name);
    type.paused_until.reset();
    if (dice.below(3) > 0) type.paused_until = model_.now + std::chrono::minutes(dice.below(600));
    tell("pause " + name + " until " + (type.paused_until ? domain::to_string(*type.paused_until) : "-"));
    real_.pool.run(pause, name, type.paused_until);
}

void Walk::pass_time(Dice& dice) {
    const auto minutes = dice.of(std::vector{10, 60, 6 * 60, 12 * 60, 24 * 60, 3 * 24 * 60});
    // Also to the very instant of a message, and to the moment after.
    std::vector<model::Instant> ahead;
    for (const auto& [key, message] : model_.rows)
        if (message.due && *message.due > model_.now) ahead.push_back(*message.due);
    if (!ahead.empty() && dice.one_in(3))
        set_clock(dice.of(ahead) + std::chrono::microseconds(dice.below(2)));
    else
        set_clock(model_.now + std::chrono::minutes(1 + dice.below(minutes)));
    tell("the clock moves on");
    if (dice.one_in(3)) postgres::ensure_partitions(real_.pool);
}

void Walk::plan(Dice& dice) {
    tell("plan");
    const int size = dice.one_in(2) ? 10'000 : 1 + dice.below(2);
    for (;;) {
        auto units = postgres::units_due(real_.pool, horizon);
        if (units.empty()) break;
        if (dice.one_in(2)) dice.shuffle(units);
        for (const auto& unit : units) postgres::plan_unit(real_.pool, unit, size);
    }
    model_.plan(horizon);
}

// Some of the units, the last of them up to its first chunk.
void Walk::plan_partly(Dice& dice) {
    static constexpr postgres::Statement chunk{"walk_chunk",
                                               "SELECT plan_chunk($1, $2, $3, 1, 0, NULL, NULL)"};
    auto units = postgres::units_due(real_.pool, horizon);
    if (dice.one_in(2)) dice.shuffle(units);
    const auto count = static_cast<std::size_t>(dice.below(8));
    for (std::size_t i = 0; i < units.size() && i <= count; ++i) {
        if (i < count)
            postgres::plan_unit(real_.pool, units[i], 1 + dice.below(3));
        else
            real_.pool.run(chunk, units[i].message_type, units[i].timezone, units[i].delivery_date);
    }
    tell("plan partly");
    compare(model_.plannable(horizon));
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

    const auto published = real_.dispatch(std::max(static_cast<int>(limit), 1));
    std::map<model::Key, int> should;
    for (const auto& key : model_.dispatch(until)) should[key] = model_.rows.at(key).attempt;
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
    try {
        postgres::dispatch(real_.pool, 100, [](auto) { throw std::runtime_error("no broker"); });
    } catch (const std::runtime_error&) {
        failed = true;
    }
    if (!failed) model_.dispatch(model_.now);  // then nothing was to be published
}

void Walk::claim(Dice& dice) {
    if (hints_.empty()) return;
    std::vector<domain::Delivery> hints;
    for (int i = 1 + dice.below(6); i > 0; --i)
        hints.push_back(
            dice.one_in(3)
                ? dice.of(hints_)
                : hints_[hints_.size() - 1 -
                         static_cast<std::size_t>(dice.below(std::min(4, static_cast<int>(hints_.size()))))]);
    const bool lease_over = dice.one_in(4);
    const auto report = postgres::claim(real_.pool, hints, lease_over ? 0ms : long_lease);
    tell("claim " + std::to_string(hints.size()) + " hints, get " + std::to_string(report.claimed.size()) +
         (lease_over ? ", and die" : ""));
    std::vector<Uuid> outdated;
    for (const auto& one : report.outdated) outdated.push_back(one.user_id);
    postgres::replan(real_.pool, outdated);

    const auto should = model_.claim(hints, lease_over);
    expect(report.claimed.size() == should.size(), "should claim " + std::to_string(should.size()));
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
    const postgres::Attempted attempted{.message_id = held.id,
                                        .delivery_date = held.date,
                                        .attempt = held.attempt,
                                        .outcome = outcome,
                                        .http_status = 200,
                                        .body = "",
                                        .error = "",
                                        .started_at = model_.now,
                                        .finished_at = model_.now};
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

// By a person: nothing but a person brings it back.
void Walk::cancel(Dice& dice) {
    static constexpr postgres::Statement by_hand{"walk_cancel", R"(
        UPDATE message_logs SET status = 'CANCELLED', due_at = NULL, error_message = 'by hand'
        WHERE id = $1 AND status IN ('SCHEDULED', 'RETRYING'))"};
    std::vector<model::Message*> waiting;
    for (auto& [key, message] : model_.rows)
        if (message.waits()) waiting.push_back(&message);
    if (waiting.empty()) return;
    model::Message& message = *dice.of(waiting);
    tell("cancel by hand what is due " + domain::to_string(*message.due));
    real_.pool.run(by_hand, *message.id);
    message.status = model::Status::cancelled;
    message.due.reset();
    message.by_user = false;
}

// Whoever has something under way changes just what it came from.
void Walk::disturb(Dice& dice) {
    std::vector<model::Key> under_way;
    for (const auto& [key, message] : model_.rows)
        if (message.attempt > 0 && (message.waits() || message.status == model::Status::queued))
            under_way.push_back(key);
    if (under_way.empty()) return;
    const auto key = dice.of(under_way);
    const auto& user = model_.users.at(key.user);
    if (user.deleted || key.type == "RENEWAL") return;
    std::optional<domain::Date> other;
    if (dice.one_in(3)) other = some_date(dice);
    change_fields(key.user, "what is under way: " + key.type, [&](domain::UserFields& fields) {
        if (dice.one_in(4))
            fields.timezone = dice.of(zones_);
        else
            (key.type == "BIRTHDAY" ? fields.birthday_date : fields.anniversary_date) = other;
    });
}

void Walk::take(const Step& step) {
    using Action = void (Walk::*)(Dice&);
    // As often as it stands here.
    static const std::vector<std::function<void(Walk&, Dice&)>> actions = [] {
        std::vector<std::function<void(Walk&, Dice&)>> all;
        const auto put = [&](int times, Action action) {
            for (; times > 0; --times) all.emplace_back(action);
        };
        for (const std::string type : {"BIRTHDAY", "BIRTHDAY", "ANNIVERSARY"})
            all.emplace_back([type](Walk& walk, Dice& dice) { walk.move_date(dice, type); });
        put(1, &Walk::add), put(4, &Walk::move_zone), put(2, &Walk::opt), put(1, &Walk::remove);
        put(1, &Walk::restore), put(1, &Walk::rename), put(2, &Walk::add_occasion),
            put(1, &Walk::remove_occasion);
        put(1, &Walk::pause_type), put(6, &Walk::pass_time), put(3, &Walk::plan), put(2, &Walk::plan_partly);
        put(1, &Walk::replan), put(4, &Walk::dispatch), put(1, &Walk::fail_to_dispatch), put(4, &Walk::claim);
        put(1, &Walk::give_back), put(3, &Walk::record), put(1, &Walk::rescue), put(4, &Walk::deliver);
        put(1, &Walk::cancel), put(3, &Walk::disturb);
        return all;
    }();
    Dice dice(step.dice);
    actions[static_cast<std::size_t>(step.action) % actions.size()](*this, dice);
    compare();
}

}  // namespace walk
