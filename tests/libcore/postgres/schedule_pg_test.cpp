// What the API says is to come, held against the planner that makes it and against rules that know no SQL.

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "libcore/postgres/pause_table.hpp"
#include "libcore/postgres/schedule_table.hpp"
#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/model/rules.hpp"
#include "tests/support/oracle/footer.hpp"

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::minutes;

const std::vector<std::string> zones{"UTC",
                                     "Europe/Berlin",
                                     "America/New_York",
                                     "America/St_Johns",
                                     "America/Santiago",
                                     "Africa/Casablanca",
                                     "Asia/Kathmandu",
                                     "Pacific/Kiritimati",
                                     "Pacific/Pago_Pago",
                                     "Pacific/Chatham",
                                     "Pacific/Auckland",
                                     "Australia/Lord_Howe",
                                     "Antarctica/Troll",
                                     "Etc/GMT+12"};

struct Rules {
    domain::Instant now;
    std::chrono::seconds send_at = 9h;
    std::chrono::microseconds spread = 0s;
    oracle::Gap gap = oracle::Gap::shift_forward;
    oracle::Fold fold = oracle::Fold::first;
    model::LeapDay leap_day = model::LeapDay::feb28;
};

/// People around a moment, in the ledger and in the model, whom no trigger has planned.
struct World {
    Ledger ledger;
    std::map<std::string, model::Type> types;
    std::map<domain::Uuid, model::User> users;

    explicit World(const Rules& rules) : ledger(rules.now) {
        ledger.execute(
            "INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', 'x', 'epoch')");
        for (const std::string name : {"BIRTHDAY", "ANNIVERSARY", "RENEWAL"}) {
            model::Type type;
            type.send_at = rules.send_at;
            type.gap = rules.gap;
            type.fold = rules.fold;
            type.leap_day = rules.leap_day;
            if (name != "BIRTHDAY") type.spread = rules.spread;
            ledger.rows(
                "UPDATE message_types SET send_at = '00:00'::time + $2::interval, spread = $3, "
                "gap_rule = $4, fold_rule = $5, leap_day = $6 WHERE name = $1 RETURNING name",
                name, type.send_at, type.spread, model::text(type.gap), model::text(type.fold),
                model::text(type.leap_day));
            types[name] = type;
        }
        add_people(rules);
    }

    std::vector<model::Owed> owed(const domain::Uuid& user, domain::Instant from, domain::Instant to) const {
        const auto& person = users.at(user);
        if (!person.reachable()) return {};
        auto all = model::owed_between(person, types, from, to);
        std::erase_if(all, [&](const model::Owed& one) { return one.instant >= to; });
        return all;
    }

private:
    static domain::Date date_on(std::chrono::sys_days day, std::chrono::year year) {
        const domain::Date kept(day);
        const domain::Date date = year / kept.month() / kept.day();
        return date.ok() ? date : domain::Date(2000y / 2 / 29);
    }

    void add_people(const Rules& rules) {
        std::vector<domain::UserFields> people;
        const auto today = floor<days>(rules.now);
        for (const auto& zone : zones) {
            for (int i = -2; i <= 2; ++i) {
                auto person = Ledger::born(date_on(today + days(i), 1990y), zone);
                person.email = zone + std::to_string(i) + "@example.com";
                person.anniversary_date = date_on(today + days(1 - i), i == 0 ? 2027y : 2015y);
                person.opted_out = i == 2;
                people.push_back(person);
            }
            auto leapling = Ledger::born(2000y / 2 / 29, zone);
            leapling.email = zone + "leap@example.com";
            people.push_back(leapling);
        }
        ledger.add_unplanned(people, domain::to_string(rules.now));
        for (const auto& person : people) {
            const auto id = ledger.value<domain::Uuid>("SELECT id FROM users WHERE email = $1", person.email);
            model::User user{.zone = person.timezone, .occasions = {}, .opted_out = person.opted_out};
            user.occasions.push_back({"BIRTHDAY", *person.birthday_date});
            if (person.anniversary_date) user.occasions.push_back({"ANNIVERSARY", *person.anniversary_date});
            const auto number = static_cast<int>(users.size());
            const auto day = today + days(number % 4 - 1);
            // Two dates on one day are one message; so are 28 and 29 February.
            for (const auto& date : {date_on(day, 1980y), date_on(day, 2001y), domain::Date(2004y / 2 / 29)})
                if (number % 3 != 0) user.occasions.push_back({"RENEWAL", date});
            if (number % 2 == 0) user.occasions.push_back({"RENEWAL", domain::Date(today + days(1)), true});
            keep(id, user.occasions);
            if (rules.spread > 0s) {
                const auto offset =
                    ledger.value<std::chrono::microseconds>("SELECT spread_offset($1, $2)", id, rules.spread);
                user.share = static_cast<double>(offset.count()) / static_cast<double>(rules.spread.count());
            }
            users[id] = user;
        }
    }

    void keep(const domain::Uuid& id, const std::vector<model::Occasion>& occasions) {
        const auto lease = ledger.pool.lease();
        lease->execute("SET session_replication_role = replica");
        static constexpr postgres::Statement insert{
            "keep",
            "INSERT INTO user_occasions (user_id, message_type, date, one_off, timezone) "
            "SELECT id, $2, $3, $4, timezone FROM users WHERE id = $1 ON CONFLICT DO NOTHING"};
        for (const auto& one : occasions)
            if (one.type == "RENEWAL") lease->run(insert, id, one.type, one.date, one.one_off);
        lease->execute("SET session_replication_role = DEFAULT");
    }
};

using Counts = std::map<std::tuple<domain::Instant, std::string, std::string>, std::int64_t>;

std::string offset_text(std::chrono::seconds offset) {
    const auto whole = std::chrono::abs(std::chrono::duration_cast<minutes>(offset)).count();
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%c%02d:%02d", offset < 0s ? '-' : '+',
                  static_cast<int>(whole / 60), static_cast<int>(whole % 60));
    return text.data();
}

void count(Counts& counts, const std::string& zone, const std::string& type, domain::Instant instant) {
    ++counts[{floor<minutes>(instant), offset_text(oracle::Zone(zone).offset_at(instant)), type}];
}

/// Of the rules.
Counts expected(const World& world, domain::Instant from, domain::Instant to) {
    Counts counts;
    for (const auto& [id, user] : world.users)
        for (const auto& one : world.owed(id, from, to)) count(counts, user.zone, one.type, one.instant);
    return counts;
}

/// Of the ledger.
Counts planned(Ledger& ledger, domain::Instant from, domain::Instant to) {
    Counts counts;
    for (const auto row : ledger.rows("SELECT timezone, message_type, scheduled_send_time FROM message_logs "
                                      "WHERE scheduled_send_time >= $1 AND scheduled_send_time < $2",
                                      from, to))
        count(counts, row.get<std::string>(0), row.get<std::string>(1), row.get<domain::Instant>(2));
    return counts;
}

postgres::Preview page(Ledger& ledger, const postgres::PreviewQuery& query) {
    const auto preview = postgres::preview(ledger.pool, query);
    if (!preview) throw std::runtime_error(preview.errors().front().code);
    return *preview;
}

/// All pages; the totals must be what they add up to.
Counts previewed(Ledger& ledger, domain::Instant from, domain::Instant to, int limit = 500,
                 std::optional<std::string> type = {}) {
    Counts counts;
    std::map<std::string, std::int64_t> sums, totals;
    postgres::PreviewQuery query{.from = from, .to = to, .message_type = std::move(type), .limit = limit};
    for (;;) {
        const auto found = page(ledger, query);
        CHECK(found.totals.has_value() == !query.after.has_value());
        if (found.totals)
            for (const auto& total : *found.totals)
                if (total.messages > 0) totals[total.message_type] = total.messages;
        for (const auto& item : found.minutes) {
            const bool is_new =
                counts.emplace(std::tuple(item.minute, item.utc_offset, item.message_type), item.messages)
                    .second;
            CHECK(is_new);
            sums[item.message_type] += item.messages;
        }
        if (static_cast<int>(found.minutes.size()) < limit) break;
        const auto& last = found.minutes.back();
        query.after = postgres::DuePosition{last.minute, last.utc_offset, last.message_type};
    }
    CHECK(sums == totals);
    return counts;
}

const std::vector<Rules> seasons{
    {.now = at(2027y / 2 / 27, 5h + 17min + 23s)},
    {.now = at(2028y / 2 / 28, 3h)},
    {.now = at(2027y / 2 / 28, 12h), .spread = 1h, .leap_day = model::LeapDay::mar1},
    {.now = at(2027y / 2 / 28, 0h), .leap_day = model::LeapDay::skip},
    // New York loses 02:00 to 03:00 on 14 March, Berlin on the 28th.
    {.now = at(2027y / 3 / 13, 20h), .send_at = 2h + 30min},
    {.now = at(2027y / 3 / 13, 20h), .send_at = 1h + 45min, .spread = 1h},
    {.now = at(2027y / 3 / 27, 14h), .send_at = 2h + 30min, .gap = oracle::Gap::skip},
    {.now = at(2027y / 3 / 27, 14h), .send_at = 2h + 30min, .gap = oracle::Gap::before_gap},
    // Clocks go back in Berlin on 31 October and in New York on 7 November; Lord Howe's by half an hour on 4
    // April.
    {.now = at(2027y / 10 / 30, 15h), .send_at = 2h + 15min},
    {.now = at(2027y / 11 / 6, 20h), .send_at = 1h + 30min, .spread = 1h, .fold = oracle::Fold::second},
    {.now = at(2027y / 4 / 3, 4h), .send_at = 1h + 45min},
    {.now = at(2027y / 12 / 31, 2h), .spread = 12h},
};

}  // namespace

TEST_CASE("what the preview counts for a day is what the planner then makes, and what the rules say") {
    for (const auto& rules : seasons) {
        CAPTURE(domain::to_string(rules.now), rules.send_at.count(), rules.spread.count());
        World world(rules);
        const auto to = rules.now + 24h;

        const auto before = previewed(world.ledger, rules.now, to);
        CHECK(before.size() > 20);
        CHECK(before == expected(world, rules.now, to));

        CHECK(world.ledger.plan() > 0);
        CHECK(before == planned(world.ledger, rules.now, to));
        CHECK(previewed(world.ledger, rules.now, to) == before);
    }
}

TEST_CASE("the preview of a part of a day begins and ends with it, in small pages as in one") {
    const Rules rules{.now = at(2027y / 2 / 27, 5h + 17min + 23s), .spread = 1h};
    World world(rules);
    const auto from = rules.now + 7h + 31s, to = from + 13h + 12s;

    const auto whole = previewed(world.ledger, from, to);
    CHECK(whole == expected(world, from, to));
    CHECK(previewed(world.ledger, from, to, 7) == whole);
    CHECK(previewed(world.ledger, from, to, 1) == whole);

    Counts renewals;
    for (const auto& [key, messages] : whole)
        if (std::get<2>(key) == "RENEWAL") renewals[key] = messages;
    CHECK_FALSE(renewals.empty());
    CHECK(previewed(world.ledger, from, to, 7, "RENEWAL") == renewals);
    CHECK(postgres::preview(world.ledger.pool, {.from = from, .to = to, .message_type = "NOTHING"})
              .errors()
              .front()
              .field == "messageType");
}

TEST_CASE("a minute is counted once wherever the count is cut") {
    // Twenty messages in the first half of 09:00, asked for from the middle of that.
    const auto now = at(2027y / 3 / 1, 9h + 15s);
    Ledger ledger(now);
    ledger.execute("UPDATE message_types SET spread = '30 seconds' WHERE name = 'BIRTHDAY'");
    std::vector<domain::UserFields> people;
    for (int i = 0; i < 20; ++i) {
        people.push_back(Ledger::born(1990y / 3 / 2));
        people.back().email = std::to_string(i) + "@example.com";
    }
    ledger.add_unplanned(people, domain::to_string(now));
    const Counts expected{{{at(2027y / 3 / 2, 9h), "+00:00", "BIRTHDAY"}, 20}};
    CHECK(previewed(ledger, now, now + days(3)) == expected);
    CHECK(previewed(ledger, now, now + days(3), 1) == expected);
    const auto half = previewed(ledger, now, now + 24h);
    REQUIRE(half.size() == 1);
    CHECK(half.begin()->second < 20);
    CHECK(half.begin()->second > 0);
}

TEST_CASE("the preview of a year agrees with the rules in every zone") {
    const auto rules = GENERATE(
        Rules{.now = at(2027y / 2 / 27, 9h), .send_at = 2h + 30min},
        Rules{.now = at(2027y / 12 / 30, 23h + 11s), .spread = 12h, .leap_day = model::LeapDay::mar1});
    World world(rules);
    const auto to = rules.now + days(366);
    const auto whole = previewed(world.ledger, rules.now, to);
    CHECK(whole.size() > 100);
    CHECK(whole == expected(world, rules.now, to));
    CHECK(previewed(world.ledger, rules.now, to, 50) == whole);
}

TEST_CASE("the preview leaves out who is gone and types that are, and goes on by new rules at once") {
    World world({.now = at(2027y / 2 / 27, 9h)});
    const auto now = at(2027y / 2 / 27, 9h);
    world.ledger.plan();
    for (auto& [id, user] : world.users) {
        if (user.zone == "Europe/Berlin") {
            postgres::delete_user(world.ledger.pool, id);
            user.deleted = true;
        }
    }
    world.ledger.execute("UPDATE message_types SET deleted_at = app_now() WHERE name = 'RENEWAL'");
    world.ledger.execute("UPDATE message_types SET send_at = '11:11' WHERE name = 'BIRTHDAY'");
    world.types["BIRTHDAY"].send_at = 11h + 11min;
    auto counts = expected(world, now, now + 24h);
    std::erase_if(counts, [](const auto& one) { return std::get<2>(one.first) == "RENEWAL"; });
    CHECK(previewed(world.ledger, now, now + 24h) == counts);
}

TEST_CASE("a preview that takes too long ends and leaves its session as it was") {
    World world({.now = at(2027y / 2 / 27, 9h)});
    const auto now = at(2027y / 2 / 27, 9h);
    postgres::PreviewQuery query{.from = now, .to = now + days(366)};
    postgres::Pool pool = world.ledger.pool;
    SECTION("for the service") {
        query.longest = 1ms;
    }
    SECTION("for its caller") {
        pool = pool.until(std::chrono::steady_clock::now() + 3s);
    }
    auto other = world.ledger.database.connection();
    postgres::Transaction lock(other);
    lock.execute("LOCK TABLE zones_in_use");
    const auto slow = postgres::preview(pool, query);
    REQUIRE_FALSE(slow);
    CHECK(slow.errors().front().code == "too_slow");
    CHECK(world.ledger.value<std::string>("SELECT current_setting('statement_timeout')") == "15s");
}

TEST_CASE("a user's schedule of nine years is what the rules say, to the microsecond") {
    for (const auto& rules : seasons) {
        CAPTURE(domain::to_string(rules.now), rules.send_at.count(), rules.spread.count());
        World world(rules);
        world.ledger.plan();
        for (const auto& [id, user] : world.users) {
            // The oracle ends with the year 2037.
            const auto schedule = postgres::schedule_of_user(
                world.ledger.pool, {.user_id = id, .years = 9, .after = {}, .limit = 1000});
            REQUIRE(schedule);
            CHECK(schedule->from == rules.now);
            auto owed = world.owed(id, rules.now, schedule->to);
            std::sort(owed.begin(), owed.end(), [](const auto& a, const auto& b) {
                return std::tie(a.instant, a.type) < std::tie(b.instant, b.type);
            });
            CAPTURE(user.zone, schedule->messages.size(), owed.size());
            REQUIRE(schedule->messages.size() == owed.size());
            const oracle::Zone zone(user.zone);
            for (std::size_t i = 0; i < owed.size(); ++i) {
                const auto& message = schedule->messages[i];
                bool same = message.message_type == owed[i].type && message.delivery_date == owed[i].day &&
                            message.scheduled_send_time == owed[i].instant &&
                            message.civil_rule.value_or("") == owed[i].rule &&
                            message.utc_offset == offset_text(zone.offset_at(owed[i].instant));
                const auto wall =
                    floor<std::chrono::seconds>(owed[i].instant) + zone.offset_at(owed[i].instant);
                const auto shown = domain::to_string(domain::Instant(wall));
                same = same && message.local_time + "Z" == shown;
                CAPTURE(message.message_type, domain::to_string(message.delivery_date),
                        domain::to_string(message.scheduled_send_time), message.local_time,
                        message.utc_offset, shown);
                if (!same) FAIL_CHECK("differs");
            }
        }
    }
}

TEST_CASE("a schedule counts the years of the oldest date and shows the message that is there already") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    const auto id = ledger.add(Ledger::born(2000y / 2 / 29));
    auto schedule = *postgres::schedule_of_user(ledger.pool, {.user_id = id, .years = 2});
    REQUIRE(schedule.messages.size() == 2);
    CHECK(schedule.messages[0].civil_rule == "leap:feb28");
    CHECK(schedule.messages[0].years == 27);
    CHECK(schedule.messages[0].planned);
    CHECK(schedule.messages[0].planned->id == ledger.message(id).id);
    CHECK(schedule.messages[0].planned->status == domain::Status::scheduled);
    CHECK(schedule.messages[1].delivery_date == domain::Date(2028y / 2 / 29));
    CHECK_FALSE(schedule.messages[1].civil_rule);
    CHECK(schedule.messages[1].years == 28);
    CHECK_FALSE(schedule.messages[1].planned);

    const auto status_now = [&]() -> std::string {
        const auto found = *postgres::schedule_of_user(ledger.pool, {.user_id = id});
        if (found.messages.empty() || !found.messages[0].planned) return "";
        return std::string(domain::to_string(found.messages[0].planned->status));
    };
    ledger.set_clock(at(2027y / 2 / 28, 9h));
    const auto hints = ledger.dispatch();
    CHECK(status_now() == "QUEUED");
    ledger.claim(hints);
    ledger.set_clock(at(2027y / 2 / 28, 10h));
    CHECK(status_now() == "SENDING");
    ledger.execute("UPDATE message_logs SET status = 'SENT'");
    CHECK(status_now().empty());
}

TEST_CASE("the date itself is no anniversary, and a one-off comes once") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    auto person = Ledger::born(1990y / 3 / 1);
    person.anniversary_date = 2027y / 3 / 1;
    const auto id = ledger.add(person);
    ledger.execute("INSERT INTO message_types (name, template) VALUES ('ONCE', 'x'), ('GONE', 'x')");
    ledger.rows(
        "INSERT INTO user_occasions (user_id, message_type, date, one_off) "
        "VALUES ($1, 'ONCE', '2028-07-01', true), ($1, 'GONE', '2020-07-01', false) RETURNING user_id",
        id);
    ledger.execute("UPDATE message_types SET deleted_at = app_now() WHERE name = 'GONE'");
    const auto schedule = *postgres::schedule_of_user(ledger.pool, {.user_id = id, .years = 2});
    std::vector<std::string> seen;
    for (const auto& message : schedule.messages)
        seen.push_back(message.message_type + " " + domain::to_string(message.delivery_date) + " " +
                       std::to_string(*message.years));
    CHECK(seen == std::vector<std::string>{"BIRTHDAY 2027-03-01 37", "ANNIVERSARY 2028-03-01 1",
                                           "BIRTHDAY 2028-03-01 38", "ONCE 2028-07-01 0"});
}

TEST_CASE("a schedule holds beyond 2037 and knows that 2100 is no leap year") {
    const auto year = GENERATE(2038y, 2100y);
    Ledger ledger(at((year - std::chrono::years(1)) / 3 / 15, 12h));
    const oracle::Footer footer("Europe/Berlin");
    const auto id = ledger.add(Ledger::born(2000y / 2 / 29, "Europe/Berlin"));
    const auto summer = ledger.add(Ledger::born(2000y / 7 / 1, "Europe/Berlin"));
    for (const auto& user : {id, summer}) {
        const auto schedule = *postgres::schedule_of_user(ledger.pool, {.user_id = user, .years = 2});
        REQUIRE(schedule.messages.size() == 2);
        for (const auto& message : schedule.messages) {
            const auto wall = oracle::wall_time(message.delivery_date, 9h);
            const auto meaning = footer.meaning_of(wall, oracle::Gap::shift_forward, oracle::Fold::first);
            CHECK(message.scheduled_send_time == *meaning.instant);
            CHECK(message.utc_offset == offset_text(footer.offset_at(message.scheduled_send_time)));
        }
    }
    const auto leap = *postgres::schedule_of_user(ledger.pool, {.user_id = id});
    CHECK(leap.messages.front().delivery_date == domain::Date(year / 2 / 28));
    CHECK(leap.messages.front().civil_rule == "leap:feb28");
}

TEST_CASE("what the planner is behind with is still to come until it would be missed") {
    const auto now = at(2027y / 3 / 1, 8h);
    Ledger ledger(now);
    auto person = Ledger::born(1990y / 3 / 1);
    person.email = "late@example.com";
    ledger.add_unplanned({person}, domain::to_string(now));
    const auto id = ledger.value<domain::Uuid>("SELECT id FROM users");
    const auto comes_today = [&] {
        const auto schedule = *postgres::schedule_of_user(ledger.pool, {.user_id = id});
        return schedule.messages.front().delivery_date == domain::Date(2027y / 3 / 1);
    };
    CHECK(comes_today());
    ledger.set_clock(now + 30h);
    CHECK(comes_today());
    ledger.set_clock(now + 50h);
    CHECK_FALSE(comes_today());
    ledger.set_clock(now + 30h);
    ledger.plan();
    CHECK(comes_today());
    ledger.execute(
        "UPDATE message_logs SET status = 'CANCELLED', due_at = NULL WHERE delivery_date = '2027-03-01'");
    CHECK_FALSE(comes_today());
    ledger.execute("DELETE FROM message_logs WHERE delivery_date = '2027-03-01'");
    CHECK_FALSE(comes_today());
}

TEST_CASE("a schedule says why nothing comes") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    const auto reasons = [&](const domain::Uuid& id) {
        std::vector<std::string> all;
        const auto schedule = *postgres::schedule_of_user(ledger.pool, {.user_id = id});
        for (const auto& hold : schedule.holds)
            all.push_back(hold.reason + " " + hold.message_type.value_or("-") + " " +
                          (hold.until ? domain::to_string(*hold.until) : "-"));
        return all;
    };
    using Reasons = std::vector<std::string>;
    const auto id = ledger.add(Ledger::born(1990y / 3 / 1));
    auto nobody = Ledger::born(1990y / 3 / 1);
    nobody.birthday_date.reset();
    const auto dateless = ledger.add(nobody);
    CHECK(reasons(id).empty());
    CHECK(reasons(dateless) == Reasons{"no_dates - -"});

    ledger.execute("UPDATE message_types SET paused_until = '2027-03-05T00:00:00Z'");
    ledger.change(id, [](auto& fields) { fields.opted_out = true; });
    CHECK(reasons(id) == Reasons{"opted_out - -", "type_paused BIRTHDAY 2027-03-05T00:00:00Z"});
    CHECK(postgres::schedule_of_user(ledger.pool, {.user_id = id})->messages.empty());
    REQUIRE(postgres::pause_deliveries(ledger.pool, "test", "a wrong text", std::nullopt));
    CHECK(reasons(dateless) == Reasons{"no_dates - -", "deliveries_paused - -"});
    const auto now = at(2027y / 2 / 27, 8h);
    CHECK(page(ledger, {.from = now, .to = now + 24h}).holds.size() == 3);
    CHECK(page(ledger, {.from = now, .to = now + 24h, .message_type = "BIRTHDAY"}).holds.size() == 2);

    postgres::delete_user(ledger.pool, id);
    CHECK_FALSE(postgres::schedule_of_user(ledger.pool, {.user_id = id}));
}

TEST_CASE("a schedule of many dates comes in pages without loss") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    const auto id = ledger.add(Ledger::born(2000y / 2 / 29));
    ledger.execute("INSERT INTO message_types (name, template) VALUES ('MANY', 'x')");
    ledger.rows(
        "INSERT INTO user_occasions (user_id, message_type, date) "
        "SELECT $1, 'MANY', date '2001-01-01' + n FROM generate_series(1, 100) n RETURNING user_id",
        id);
    const auto whole =
        *postgres::schedule_of_user(ledger.pool, {.user_id = id, .years = 10, .after = {}, .limit = 2000});
    CHECK(whole.messages.size() == 1010);
    std::size_t found = 0;
    postgres::UserScheduleQuery query{.user_id = id, .years = 10, .limit = 77};
    for (;;) {
        const auto part = (*postgres::schedule_of_user(ledger.pool, query)).messages;
        for (const auto& message : part) {
            REQUIRE(found < whole.messages.size());
            const auto& same = whole.messages[found++];
            CHECK(std::tie(message.message_type, message.delivery_date) ==
                  std::tie(same.message_type, same.delivery_date));
        }
        if (part.size() < 77) break;
        query.after = {part.back().scheduled_send_time, part.back().message_type, part.back().delivery_date};
    }
    CHECK(found == whole.messages.size());
}

TEST_CASE("a user's schedule reads that user's rows alone, however many others there are") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    const auto id = ledger.add(Ledger::born(1990y / 2 / 28));
    auto session = postgres::Connection([&] {
        auto settings = ledger.database.settings();
        settings.session = {{"enable_seqscan", "off"}, {"jit", "off"}};
        return settings;
    }());
    const std::string query =
        "SELECT s.* FROM users u, user_schedule(u, app_now() + interval '10 years') s WHERE u.id = '" +
        domain::to_string(id) + "'";
    for (int i = 0; i < 7; ++i) pages_touched(session, query);
    const int pages = pages_touched(session, query);
    CHECK(pages > 0);
    std::vector<domain::UserFields> others;
    for (int i = 0; i < 5'000; ++i) {
        auto other = Ledger::born(1990y / 2 / 28, zones[static_cast<std::size_t>(i) % zones.size()]);
        other.email = std::to_string(i) + "@example.com";
        others.push_back(other);
    }
    ledger.add_unplanned(others, "2027-02-20T00:00:00Z");
    ledger.plan();
    CHECK(ledger.value<int>("SELECT count(*)::int FROM message_logs") > 1'000);
    CHECK(pages_touched(session, query) < pages + 20);  // indexes are deeper
}
