#include "tests/libcore/postgres/walk.hpp"

#include <algorithm>

namespace walk {

namespace {

using std::chrono::days;
using std::chrono::floor;

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

}  // namespace

std::string describe(const model::Key& key, const model::Message& m) {
    std::ostringstream out;
    out << domain::to_string(key.user).substr(24) << " " << key.type << " " << domain::to_string(key.day)
        << " " << domain::to_string(m.status) << " at " << domain::to_string(m.instant) << " in " << m.zone
        << " due " << (m.due ? domain::to_string(*m.due) : "-") << " attempt " << m.attempt << " version "
        << m.version << " of type version " << m.type_version << " failures " << m.failures << " rescues "
        << m.rescues << " replayed for " << (m.replayed_for ? domain::to_string(*m.replayed_for) : "-")
        << " rule '" << m.rule << "'" << (m.in_doubt ? " in doubt" : "");
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
    for (const std::string name : {"BIRTHDAY", "ANNIVERSARY", "RENEWAL"}) set_type(name, dice);
    tell("zones " + zones_[0] + " " + zones_[1] + " " + zones_[2] + " " + zones_[3]);
    for (int i = 0; i < 2; ++i) add(dice);
    compare();
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
               status, due_at, attempt, plan_version, failures, rescues, in_doubt,
               type_version, replayed_for
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
            .type_version = row.get<int>(14),
            .failures = row.get<int>(11),
            .rescues = row.get<int>(12),
            .in_doubt = row.get<bool>(13),
            .replayed_for = row.get<std::optional<domain::Instant>>(15)};
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
    compare_types();
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
        put(1, &Walk::move_occasion), put(3, &Walk::edit_type), put(2, &Walk::pause_type);
        put(1, &Walk::delete_type), put(1, &Walk::make_type), put(3, &Walk::bring_in_line);
        put(6, &Walk::pass_time), put(3, &Walk::plan), put(2, &Walk::plan_partly);
        put(1, &Walk::replan), put(4, &Walk::dispatch), put(1, &Walk::fail_to_dispatch), put(4, &Walk::claim);
        put(1, &Walk::give_back), put(3, &Walk::record), put(1, &Walk::rescue), put(4, &Walk::deliver);
        put(2, &Walk::cancel), put(3, &Walk::replay), put(3, &Walk::disturb);
        return all;
    }();
    Dice dice(step.dice);
    actions[static_cast<std::size_t>(step.action) % actions.size()](*this, dice);
    compare();
}

}  // namespace walk
