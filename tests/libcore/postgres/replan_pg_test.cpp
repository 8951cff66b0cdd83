#include <atomic>
#include <catch2/catch.hpp>
#include <random>

#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/oracle/occasions.hpp"

namespace {

const auto morning = at(2027y / 2 / 27, 8h);
const auto nine = at(2027y / 2 / 27, 9h);

void move_birthday(Ledger& ledger, const domain::Uuid& user, std::optional<domain::Date> birthday) {
    ledger.change(user, [&](domain::UserFields& fields) { fields.birthday_date = birthday; });
}

void move_zone(Ledger& ledger, const domain::Uuid& user, const std::string& zone) {
    ledger.change(user, [&](domain::UserFields& fields) { fields.timezone = zone; });
}

void opt(Ledger& ledger, const domain::Uuid& user, bool out) {
    ledger.change(user, [&](domain::UserFields& fields) { fields.opted_out = out; });
}

domain::Instant nine_in(const std::string& zone, const domain::Date& birthday_in_2027) {
    auto person = Ledger::born(1990y / birthday_in_2027.month() / birthday_in_2027.day(), zone);
    return oracle::occasions(person, at(2027y / 1 / 15, 0h), at(2027y / 12 / 15, 0h)).at(0).instant;
}

}  // namespace

TEST_CASE("a new user whose birthday is today is greeted before nine and not after") {
    Ledger ledger(morning);
    const auto early = ledger.add(Ledger::born(1990y / 2 / 27));
    CHECK(ledger.message(early).scheduled == nine);
    CHECK(ledger.message(early).due == nine);
    ledger.set_clock(nine + 1s);
    const auto late = ledger.add(Ledger::born(1990y / 2 / 27));
    CHECK(ledger.messages(late).empty());
    CHECK(ledger.plan() == 0);
}

TEST_CASE("a birthday moved to today then away and back again leaves one message") {
    Ledger ledger(morning);
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    CHECK(ledger.messages().empty());
    move_birthday(ledger, user, 1990y / 2 / 27);
    CHECK(ledger.message(user).plan_version == 2);
    move_birthday(ledger, user, 1990y / 7 / 1);
    CHECK(ledger.messages().empty());
    move_birthday(ledger, user, 1990y / 2 / 27);
    ledger.plan();
    const auto message = ledger.message(user);
    CHECK(message.scheduled == nine);
    CHECK(message.plan_version == 4);
    CHECK(message.status == "SCHEDULED");
}

TEST_CASE("the audit log tells what was removed and cannot be changed") {
    Ledger ledger(morning);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    move_birthday(ledger, user, std::nullopt);
    CHECK(ledger.value<std::string>("SELECT subject FROM audit_log WHERE action = 'message removed'") ==
          domain::idempotency_key(user, "BIRTHDAY", 2027y / 2 / 27));
    CHECK_THROWS_AS(ledger.execute("DELETE FROM audit_log"), postgres::DatabaseError);
}

TEST_CASE("a user who is named twice is replanned once") {
    Ledger ledger(morning);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    ledger.execute(
        "SET session_replication_role = replica;"
        "UPDATE users SET birthday_date = NULL, plan_version = plan_version + 1;"
        "RESET session_replication_role");
    CHECK(ledger.value<int>("SELECT removed FROM replan(ARRAY[$1, $1]::uuid[])", user) == 1);
    CHECK(ledger.value<int>("SELECT count(*) FROM audit_log WHERE action = 'message removed'") == 1);
}

TEST_CASE("a move over the date line and back leaves one message at the instant of each place") {
    Ledger ledger(at(2027y / 2 / 26, 18h));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27, "Pacific/Kiritimati"));
    int version = 1;
    for (const std::string zone : {"Pacific/Pago_Pago", "Pacific/Kiritimati", "America/New_York",
                                   "Etc/GMT+12", "Pacific/Kiritimati"}) {
        move_zone(ledger, user, zone);
        ledger.plan();
        const auto message = ledger.message(user);
        CAPTURE(zone);
        CHECK(message.scheduled == nine_in(zone, 2027y / 2 / 27));
        CHECK(message.due == message.scheduled);
        CHECK(message.plan_version == ++version);
    }
}

TEST_CASE("a pending message follows its user beyond any horizon") {
    Ledger ledger(at(2027y / 2 / 26, 18h + 30min));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27, "Pacific/Kiritimati"));
    CHECK(ledger.message(user).due == at(2027y / 2 / 26, 19h));
    ledger.execute(
        "CREATE OR REPLACE FUNCTION plan_reach() RETURNS interval LANGUAGE sql IMMUTABLE AS "
        "$$ SELECT interval '0' $$");
    move_zone(ledger, user, "Etc/GMT+12");
    CHECK(ledger.message(user).due == at(2027y / 2 / 27, 21h));
}

TEST_CASE("a pending message whose instant is past in the new zone is due at once") {
    Ledger ledger(at(2027y / 2 / 27, 10h));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27, "America/Los_Angeles"));
    move_zone(ledger, user, "Asia/Tokyo");
    const auto message = ledger.message(user);
    CHECK(message.scheduled == at(2027y / 2 / 27, 0h));
    CHECK(ledger.dispatch().size() == 1);
}

TEST_CASE("a hint that is under way when its user moves finds nothing until the new instant") {
    Ledger ledger(nine);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    const auto stale = ledger.dispatch();
    REQUIRE(stale.size() == 1);
    move_zone(ledger, user, "America/New_York");
    CHECK(ledger.message(user).status == "SCHEDULED");
    CHECK(ledger.claim(stale).claimed.empty());
    CHECK(ledger.message(user).due == at(2027y / 2 / 27, 14h));
    CHECK(ledger.dispatch().empty());
}

TEST_CASE("opting out cancels and opting in revives only in time") {
    Ledger ledger(morning);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    opt(ledger, user, true);
    CHECK(ledger.message(user).status == "CANCELLED");
    CHECK_FALSE(ledger.message(user).due);
    opt(ledger, user, false);
    CHECK(ledger.message(user).status == "SCHEDULED");
    CHECK(ledger.message(user).due == nine);
    opt(ledger, user, true);
    ledger.set_clock(nine + 1s);
    opt(ledger, user, false);
    CHECK(ledger.message(user).status == "CANCELLED");
}

TEST_CASE("what a person cancelled stays cancelled when the user opts out and in") {
    Ledger ledger(morning);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    const auto reason = GENERATE("NULL", "'by hand'");
    ledger.execute(
        std::string("UPDATE message_logs SET status = 'CANCELLED', due_at = NULL, error_message = ") +
        reason);
    opt(ledger, user, true);
    opt(ledger, user, false);
    CHECK(ledger.message(user).status == "CANCELLED");
}

TEST_CASE("deleting a user cancels and frees the e-mail for another") {
    Ledger ledger(morning);
    auto person = Ledger::born(1990y / 2 / 27);
    person.email = "ada@example.com";
    const auto user = ledger.add(person);
    CHECK(postgres::delete_user(ledger.pool, user));
    CHECK(ledger.message(user).status == "CANCELLED");
    CHECK(ledger.message(user).error == "user deleted");
    person.email = "ADA@example.com";
    const auto second = ledger.add(person);
    CHECK(ledger.message(second).status == "SCHEDULED");
    CHECK(ledger.plan() == 0);
}

TEST_CASE("a message in doubt is never deleted and ends with a person when its user goes") {
    Ledger ledger(nine);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    ledger.execute(
        "UPDATE message_logs SET status = 'RETRYING', attempt = 1, in_doubt = true, "
        "due_at = app_now() + interval '2 s'");
    move_birthday(ledger, user, 1990y / 6 / 1);
    CHECK(ledger.message(user).status == "RETRYING");
    CHECK(ledger.message(user).plan_version == 2);
    postgres::delete_user(ledger.pool, user);
    CHECK(ledger.message(user).status == "UNKNOWN");
    CHECK(ledger.message(user).needs_attention);
}

TEST_CASE("a sent message and one in a worker's hands never change") {
    const std::string status = GENERATE("SENT", "SENDING");
    Ledger ledger(nine);
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    ledger.execute("UPDATE message_logs SET status = '" + status + "', due_at = NULL, attempt = 1");
    const auto before = ledger.value<std::string>("SELECT m::text FROM message_logs m");
    move_zone(ledger, user, "Pacific/Pago_Pago");
    opt(ledger, user, true);
    opt(ledger, user, false);
    move_birthday(ledger, user, 1990y / 6 / 1);
    postgres::delete_user(ledger.pool, user);
    CHECK(ledger.value<std::string>("SELECT m::text FROM message_logs m") == before);
}

TEST_CASE("what was owed before a change stays owed when the planner is behind") {
    Ledger ledger(at(2027y / 2 / 25, 0h));
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27, "Europe/Berlin"));
    CHECK(ledger.messages().empty());
    SECTION("the instant has passed") {
        ledger.set_clock(at(2027y / 2 / 27, 12h));
        move_zone(ledger, user, "Asia/Tokyo");
        CHECK(ledger.message(user).scheduled == at(2027y / 2 / 27, 0h));
    }
    SECTION("the instant is ahead here and past where the user goes") {
        ledger.set_clock(at(2027y / 2 / 27, 7h));
        move_zone(ledger, user, "Asia/Tokyo");
        CHECK(ledger.message(user).scheduled == at(2027y / 2 / 27, 0h));
    }
    SECTION("an occasion is added meanwhile") {
        ledger.execute(
            "INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', 'x', 'epoch')");
        ledger.set_clock(at(2027y / 2 / 27, 12h));
        ledger.execute("INSERT INTO user_occasions VALUES ('" + domain::to_string(user) +
                       "', 'RENEWAL', '2020-06-01')");
        CHECK(ledger.message(user).scheduled == at(2027y / 2 / 27, 8h));
    }
    CHECK(ledger.dispatch().size() == 1);
}

TEST_CASE("an occasion that becomes known after its instant is not sent that year") {
    Ledger ledger(at(2027y / 2 / 20, 0h));
    ledger.execute("INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', 'x', 'epoch')");
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.set_clock(at(2027y / 2 / 27, 12h));
    const auto add = [&](const std::string& dates) {
        ledger.execute("INSERT INTO user_occasions SELECT '" + domain::to_string(user) +
                       "', 'RENEWAL', d FROM unnest('{" + dates + "}'::date[]) d");
    };
    add("2020-02-26,2020-02-27");
    CHECK(ledger.messages().empty());
    add("2020-02-28");
    CHECK(ledger.message(user).scheduled == at(2027y / 2 / 28, 9h));
    ledger.execute("DELETE FROM user_occasions WHERE date = '2020-02-28'");
    CHECK(ledger.messages().empty());
}

TEST_CASE("a session that knew the database empty plans for one user as cheaply when it is full") {
    Ledger ledger(at(2027y / 2 / 26, 12h));
    ledger.execute("INSERT INTO message_types (name, template, created_at) VALUES ('RENEWAL', 'x', 'epoch')");
    const auto user = ledger.add(Ledger::born(1990y / 2 / 27));
    const auto ids = "ARRAY['" + domain::to_string(user) + "'::uuid]";
    const auto plan = GENERATE_COPY("SELECT plan_missing(" + ids + ", app_now() + plan_reach())",
                                    "SELECT * FROM replan(" + ids + ")");
    auto session = ledger.database.connection();
    for (int i = 0; i < 10; ++i) session.execute(plan);
    const int pages = pages_touched(session, plan);

    // ALTER TABLE would make the session forget its plans.
    ledger.database.connection().execute(R"(
        SET session_replication_role = replica;
        INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date)
            SELECT uuid_v7(), 'Ada', 'Lovelace', n || '@example.com', 'UTC', '1990-02-27'
            FROM generate_series(1, 5000) AS n;
        INSERT INTO user_occasions (user_id, message_type, date, timezone)
            SELECT id, 'RENEWAL', '2020-06-01', timezone FROM users;
        INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, timezone,
                                  scheduled_send_time, due_at, created_at, updated_at)
            SELECT uuid_v7(), id, 'RENEWAL', '2027-02-27', 1, 1, 'UTC', now, now, now, now
            FROM users, app_now() AS now)");
    CAPTURE(plan, pages);
    CHECK(pages > 0);
    CHECK(pages_touched(session, plan) < pages + 30);  // indexes are deeper; each table has a hundred pages
}

TEST_CASE("a planner among concurrent changes leaves what replanning everything at the end leaves",
          "[threads]") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    const std::vector<std::string> zones{"UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati",
                                         "Pacific/Pago_Pago"};
    std::vector<domain::Uuid> users;
    for (std::size_t i = 0; i < 20; ++i)
        users.push_back(ledger.add(Ledger::born(1990y / 2 / 28, zones[i % zones.size()])));
    std::atomic<bool> done{false};
    std::jthread planner([&] {
        while (!done) {
            ledger.execute("DELETE FROM plan_runs");  // so that it has to look again
            ledger.plan(3);
        }
    });
    {
        std::vector<std::jthread> clients;
        for (unsigned seed = 1; seed <= 2; ++seed) {
            clients.emplace_back([&, seed] {
                std::minstd_rand random(seed);
                for (int i = 0; i < 100; ++i) {
                    const auto& user = users[random() % users.size()];
                    const auto day = std::chrono::day(static_cast<unsigned>(26 + random() % 3));
                    switch (random() % 3) {
                        case 0:
                            move_birthday(ledger, user, 1990y / 2 / day);
                            break;
                        case 1:
                            move_zone(ledger, user, zones[random() % zones.size()]);
                            break;
                        case 2:
                            opt(ledger, user, random() % 2 == 0);
                            break;
                    }
                }
            });
        }
    }
    done = true;
    planner.join();
    ledger.plan();

    // What a planner inserted from an older state of a user carries an older version; a claim refuses it and
    // recomputes. Everything else stands already as recomputing would leave it.
    const std::string stale =
        "SELECT count(*) FROM message_logs m JOIN users u ON u.id = m.user_id "
        "WHERE m.plan_version <> u.plan_version AND m.status <> 'CANCELLED'";
    const int outdated = ledger.value<int>(stale);
    const auto recomputed = ledger.rows("SELECT * FROM replan(ARRAY(SELECT id FROM users))");
    CHECK(recomputed.front().get<int>(0) + recomputed.front().get<int>(1) == outdated);
    CHECK(recomputed.front().get<int>(2) == 0);  // no hole
    CHECK(ledger.value<int>(stale) == 0);

    for (const auto& user : users) {
        const auto person = postgres::find_user(ledger.pool, user);
        REQUIRE(person);
        const auto owed = oracle::occasions(person->fields, at(2027y / 2 / 27, 8h), at(2027y / 2 / 28, 9h));
        for (const auto& one : owed) {
            const auto found = ledger.messages(user);
            CAPTURE(domain::to_string(one.instant), one.timezone, found.size());
            CHECK(std::ranges::count_if(found, [&](const MessageRow& message) {
                      return message.date == one.delivery_date && message.scheduled == one.instant &&
                             message.status == "SCHEDULED";
                  }) == 1);
        }
    }
}
