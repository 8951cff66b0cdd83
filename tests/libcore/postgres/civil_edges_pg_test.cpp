// Civil time where it is strange: named places, named days, and the years that `date` does not reach.
#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/oracle/footer.hpp"

using oracle::Fold;
using oracle::Gap;
using std::chrono::sys_days;

namespace {

struct Answer {
    std::optional<domain::Instant> instant;
    std::string rule;

    friend bool operator==(const Answer&, const Answer&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Answer& answer) {
        return out << (answer.instant ? domain::to_string(*answer.instant) : "skipped") << " " << answer.rule;
    }
};

class CivilTime {
public:
    Answer operator()(const std::string& zone, const domain::Date& day, std::chrono::microseconds time,
                      const std::string& gap = "shift_forward", const std::string& fold = "first") {
        static constexpr postgres::Statement ask{"civil_time",
                                                 "SELECT instant, coalesce(rule, '') FROM civil_time($1, "
                                                 "'00:00'::time + $2::interval, $3, $4, $5)"};
        const auto rows = database_.run(ask, day, time, zone, gap, fold);
        return {rows.front().get<std::optional<domain::Instant>>(0), rows.front().get<std::string>(1)};
    }

    std::vector<Answer> all(const std::string& zone, const std::vector<oracle::WallTime>& walls,
                            const std::string& gap, const std::string& fold) {
        static constexpr postgres::Statement ask{"civil_times", R"(
            SELECT civil.instant, coalesce(civil.rule, '')
            FROM unnest($2::bigint[]) WITH ORDINALITY AS reading (seconds, position)
            CROSS JOIN LATERAL (SELECT timestamp 'epoch' + seconds * interval '1 second' AS at) AS wall
            CROSS JOIN LATERAL civil_time(wall.at::date, wall.at::time, stored_zone($1), $3, $4) AS civil
            ORDER BY position)"};
        std::vector<std::int64_t> seconds;
        for (const auto wall : walls) seconds.push_back(wall.time_since_epoch().count());
        std::vector<Answer> answers;
        for (const auto row : database_.run(ask, zone, seconds, gap, fold))
            answers.push_back({row.get<std::optional<domain::Instant>>(0), row.get<std::string>(1)});
        return answers;
    }

    postgres::Connection& connection() { return database_; }

private:
    support::TestDatabase test_database_;
    postgres::Connection database_ = test_database_.connection();
};

}  // namespace

TEST_CASE("a send time in a gap obeys each rule in both hemispheres and at half and double hours") {
    struct Case {
        std::string zone;
        domain::Date day;
        std::chrono::minutes time;
        domain::Instant shifted, before;
    };
    const std::vector<Case> cases{
        {"Europe/Berlin", 2027y / 3 / 28, 2h + 30min, at(2027y / 3 / 28, 1h + 30min),
         at(2027y / 3 / 28, 30min)},
        {"America/New_York", 2027y / 3 / 14, 2h + 30min, at(2027y / 3 / 14, 7h + 30min),
         at(2027y / 3 / 14, 6h + 30min)},
        {"Australia/Lord_Howe", 2027y / 10 / 3, 2h + 15min, at(2027y / 10 / 2, 15h + 45min),
         at(2027y / 10 / 2, 15h + 15min)},
        {"Pacific/Chatham", 2027y / 9 / 26, 3h, at(2027y / 9 / 25, 14h + 15min),
         at(2027y / 9 / 25, 13h + 15min)},
        {"America/Santiago", 2027y / 9 / 5, 30min, at(2027y / 9 / 5, 4h + 30min),
         at(2027y / 9 / 5, 3h + 30min)},
        {"Antarctica/Troll", 2027y / 3 / 28, 1h + 30min, at(2027y / 3 / 28, 1h + 30min),
         at(2027y / 3 / 27, 23h + 30min)},
    };
    CivilTime civil_time;
    for (const auto& c : cases) {
        CAPTURE(c.zone);
        for (const std::string fold : {"first", "second"}) {
            CHECK(civil_time(c.zone, c.day, c.time, "shift_forward", fold) ==
                  Answer{c.shifted, "gap:shift_forward"});
            CHECK(civil_time(c.zone, c.day, c.time, "before_gap", fold) ==
                  Answer{c.before, "gap:before_gap"});
            CHECK(civil_time(c.zone, c.day, c.time, "skip", fold) == Answer{std::nullopt, "gap:skip"});
        }
    }
}

TEST_CASE("a send time that comes twice obeys each rule in both hemispheres and at half and double hours") {
    struct Case {
        std::string zone;
        domain::Date day;
        std::chrono::minutes time;
        domain::Instant first, second;
    };
    const std::vector<Case> cases{
        {"Europe/Berlin", 2027y / 10 / 31, 2h + 30min, at(2027y / 10 / 31, 30min),
         at(2027y / 10 / 31, 1h + 30min)},
        {"America/New_York", 2027y / 11 / 7, 1h + 30min, at(2027y / 11 / 7, 5h + 30min),
         at(2027y / 11 / 7, 6h + 30min)},
        {"Australia/Lord_Howe", 2027y / 4 / 4, 1h + 45min, at(2027y / 4 / 3, 14h + 45min),
         at(2027y / 4 / 3, 15h + 15min)},
        {"Pacific/Chatham", 2027y / 4 / 4, 3h, at(2027y / 4 / 3, 13h + 15min),
         at(2027y / 4 / 3, 14h + 15min)},
        {"America/Santiago", 2027y / 4 / 3, 23h + 30min, at(2027y / 4 / 4, 2h + 30min),
         at(2027y / 4 / 4, 3h + 30min)},
        {"Antarctica/Troll", 2027y / 10 / 31, 1h + 30min, at(2027y / 10 / 30, 23h + 30min),
         at(2027y / 10 / 31, 1h + 30min)},
    };
    CivilTime civil_time;
    for (const auto& c : cases) {
        CAPTURE(c.zone);
        for (const std::string gap : {"shift_forward", "before_gap", "skip"}) {
            CHECK(civil_time(c.zone, c.day, c.time, gap, "first") == Answer{c.first, "fold:first"});
            CHECK(civil_time(c.zone, c.day, c.time, gap, "second") == Answer{c.second, "fold:second"});
        }
    }
}

TEST_CASE("the edges of gaps and folds are ordinary times on their own side") {
    CivilTime civil_time;
    const auto plain = [&](const std::string& zone, const domain::Date& day, std::chrono::microseconds time) {
        return civil_time(zone, day, time, "skip", "second");
    };
    CHECK(plain("Europe/Berlin", 2027y / 3 / 28, 2h - 1us) == Answer{at(2027y / 3 / 28, 1h - 1us), ""});
    CHECK(plain("Europe/Berlin", 2027y / 3 / 28, 2h) == Answer{std::nullopt, "gap:skip"});
    CHECK(plain("Europe/Berlin", 2027y / 3 / 28, 3h - 1us) == Answer{std::nullopt, "gap:skip"});
    CHECK(plain("Europe/Berlin", 2027y / 3 / 28, 3h) == Answer{at(2027y / 3 / 28, 1h), ""});
    CHECK(plain("Europe/Berlin", 2027y / 10 / 31, 2h - 1us) == Answer{at(2027y / 10 / 31, -1us), ""});
    CHECK(plain("Europe/Berlin", 2027y / 10 / 31, 2h) == Answer{at(2027y / 10 / 31, 1h), "fold:second"});
    CHECK(plain("Europe/Berlin", 2027y / 10 / 31, 3h - 1us) ==
          Answer{at(2027y / 10 / 31, 2h - 1us), "fold:second"});
    CHECK(plain("Europe/Berlin", 2027y / 10 / 31, 3h) == Answer{at(2027y / 10 / 31, 2h), ""});
}

TEST_CASE(
    "nine comes at half and quarter hours, at both ends of the date line, and the same under a linked name") {
    CivilTime civil_time;
    const auto nine = [&](const std::string& zone) { return civil_time(zone, 2027y / 7 / 1, 9h).instant; };
    CHECK(nine("Asia/Kathmandu") == at(2027y / 7 / 1, 3h + 15min));
    CHECK(nine("Asia/Katmandu") == nine("Asia/Kathmandu"));
    CHECK(nine("Asia/Kolkata") == at(2027y / 7 / 1, 3h + 30min));
    CHECK(nine("Asia/Calcutta") == nine("Asia/Kolkata"));
    CHECK(nine("Australia/Eucla") == at(2027y / 7 / 1, 15min));
    CHECK(nine("Pacific/Marquesas") == at(2027y / 7 / 1, 18h + 30min));
    CHECK(nine("Pacific/Chatham") == at(2027y / 6 / 30, 20h + 15min));
    CHECK(nine("America/St_Johns") == at(2027y / 7 / 1, 11h + 30min));
    CHECK(nine("Pacific/Kiritimati") == at(2027y / 6 / 30, 19h));
    CHECK(nine("Pacific/Niue") == at(2027y / 7 / 1, 20h));
    CHECK(nine("Etc/GMT+12") == at(2027y / 7 / 1, 21h));
}

TEST_CASE("Casablanca's clocks go back for Ramadan and forward after it") {
    CivilTime civil_time;
    const auto changes =
        oracle::Zone("Africa/Casablanca").transitions(at(2027y / 1 / 1, 0h), at(2028y / 1 / 1, 0h));
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].after == 0s);
    CHECK(changes[1].after == 1h);
    // In Ramadan nine is an hour later.
    const domain::Date within =
        std::chrono::floor<std::chrono::days>(changes[0].instant) + std::chrono::days(7);
    const domain::Date beyond =
        std::chrono::floor<std::chrono::days>(changes[1].instant) + std::chrono::days(7);
    CHECK(civil_time("Africa/Casablanca", within, 9h) == Answer{at(within, 9h), ""});
    CHECK(civil_time("Africa/Casablanca", beyond, 9h) == Answer{at(beyond, 8h), ""});
    const domain::Date back = std::chrono::floor<std::chrono::days>(changes[0].instant);
    const domain::Date forward = std::chrono::floor<std::chrono::days>(changes[1].instant);
    CHECK(civil_time("Africa/Casablanca", back, 2h + 30min, "skip", "second") ==
          Answer{at(back, 2h + 30min), "fold:second"});
    CHECK(civil_time("Africa/Casablanca", forward, 2h + 30min, "skip") == Answer{std::nullopt, "gap:skip"});
}

TEST_CASE("a day that a zone skipped whole is a gap of a day") {
    CivilTime civil_time;
    const domain::Date skipped = 2011y / 12 / 30;
    CHECK(civil_time("Pacific/Apia", skipped, 9h) == Answer{at(2011y / 12 / 30, 19h), "gap:shift_forward"});
    CHECK(civil_time("Pacific/Apia", skipped, 9h, "before_gap") ==
          Answer{at(2011y / 12 / 29, 19h), "gap:before_gap"});
    CHECK(civil_time("Pacific/Apia", skipped, 9h, "skip") == Answer{std::nullopt, "gap:skip"});
    CHECK(civil_time("Pacific/Apia", 2011y / 12 / 29, 9h) == Answer{at(2011y / 12 / 29, 19h), ""});
    CHECK(civil_time("Pacific/Apia", 2011y / 12 / 31, 9h) == Answer{at(2011y / 12 / 30, 19h), ""});
}

TEST_CASE("the database agrees with the rules at the end of the zone files in 2038 and 2100") {
    CivilTime civil_time;
    const postgres::Statement names{"names",
                                    "SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix/%' AND "
                                    "name NOT IN ('localtime', 'Factory', 'posixrules') ORDER BY name"};
    int zones = 0, changes = 0;
    for (const auto row : civil_time.connection().run(names)) {
        const auto name = row.get<std::string>(0);
        const oracle::Footer footer(name);
        for (const auto year : {2038y, 2100y}) {
            if (footer.valid_from() >= at(year / 1 / 1, 0h)) continue;
            ++zones;
            std::vector<oracle::WallTime> walls;
            for (auto day = sys_days(year / 1 / 2); day < sys_days(year / 12 / 30);
                 day += std::chrono::days(1))
                walls.push_back(oracle::wall_time(day, 9h));
            for (const auto& change : footer.transitions(year)) {
                const oracle::WallTime middle(
                    std::chrono::floor<std::chrono::seconds>(change.instant).time_since_epoch() +
                    (change.before + change.after) / 2);
                walls.push_back(middle);
                ++changes;
            }
            for (const auto& [gap, fold, gap_name, fold_name] :
                 {std::tuple(Gap::shift_forward, Fold::first, "shift_forward", "first"),
                  std::tuple(Gap::before_gap, Fold::second, "before_gap", "second")}) {
                const auto answers = civil_time.all(name, walls, gap_name, fold_name);
                REQUIRE(answers.size() == walls.size());
                std::optional<std::size_t> wrong;
                for (std::size_t i = 0; i < walls.size() && !wrong; ++i) {
                    const auto meaning = footer.meaning_of(walls[i], gap, fold);
                    const auto rule = meaning.in_gap    ? std::string("gap:") + gap_name
                                      : meaning.in_fold ? std::string("fold:") + fold_name
                                                        : "";
                    if (answers[i] != Answer{meaning.instant, rule}) wrong = i;
                }
                CAPTURE(name, static_cast<int>(year), gap_name);
                CHECK((wrong ? domain::to_string(*footer.meaning_of(walls[*wrong], gap, fold).instant)
                             : "none") == "none");
            }
        }
    }
    CHECK(zones > 800);
    CHECK(changes > 300);
}

TEST_CASE("birthdays of 1900 and of a leap day are kept in 2100 which is no leap year") {
    Ledger ledger(at(2100y / 2 / 27, 12h));
    const auto leap = ledger.add(Ledger::born(2000y / 2 / 29, "Europe/Berlin"));
    const auto old = ledger.add(Ledger::born(1900y / 2 / 28, "Europe/Berlin"));
    const auto march = ledger.add(Ledger::born(1900y / 3 / 1, "Europe/Berlin"));
    ledger.plan();
    CHECK(ledger.message(leap).scheduled == at(2100y / 2 / 28, 8h));
    CHECK(ledger.message(leap).rule == "leap:feb28");
    CHECK(ledger.message(old).scheduled == at(2100y / 2 / 28, 8h));
    CHECK(ledger.message(old).rule.empty());
    CHECK(ledger.messages(march).empty());
    ledger.set_clock(at(2100y / 2 / 28, 12h));
    ledger.plan();
    CHECK(ledger.message(march).date == 2100y / 3 / 1);
    CHECK(ledger.messages(leap).size() == 1);
}

TEST_CASE("a user's share of the spread is the same every year and never before the send time") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    ledger.execute("UPDATE message_types SET spread = '45 minutes'");
    const auto ids = ledger.people_due(30, 2027y / 2 / 27);
    ledger.set_clock(at(2028y / 2 / 26, 12h));
    ledger.plan();
    for (const auto& id : ids) {
        const auto both = ledger.messages(id);
        REQUIRE(both.size() == 2);
        const auto share = both[0].scheduled - at(2027y / 2 / 27, 9h);
        CHECK(share >= 0s);
        CHECK(share < 45min);
        CHECK(both[1].scheduled - at(2028y / 2 / 27, 9h) == share);
    }
}

TEST_CASE("of two dates of one type that fall on one day the one that is not moved gives the rule") {
    Ledger ledger(at(2027y / 2 / 27, 12h));
    ledger.execute(
        "INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', '{years}', 'epoch')");
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    const auto add = [&](const std::string& date) {
        ledger.execute("INSERT INTO user_occasions VALUES ('" + domain::to_string(user) + "', 'RENEWAL', '" +
                       date + "')");
    };
    const bool leap_day_first = GENERATE(true, false);
    add(leap_day_first ? "2020-02-29" : "2021-02-28");
    CHECK(ledger.message(user).rule == (leap_day_first ? "leap:feb28" : ""));
    add(leap_day_first ? "2021-02-28" : "2020-02-29");
    CHECK(ledger.message(user).rule.empty());
    ledger.execute("DELETE FROM message_logs; SELECT replan(ARRAY(SELECT id FROM users))");
    CHECK(ledger.message(user).rule.empty());
}
