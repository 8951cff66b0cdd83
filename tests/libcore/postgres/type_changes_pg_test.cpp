// What an edit, a pause or the deletion of a message type does to what is planned.

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "libcore/domain/outcome.hpp"
#include "tests/libcore/postgres/ledger.hpp"

namespace {

const domain::Date today = 2027y / 2 / 27;

void edit(Ledger& ledger, const std::string& change, const std::string& type = "BIRTHDAY") {
    ledger.execute("UPDATE message_types SET " + change + " WHERE name = '" + type + "'");
}

domain::Uuid add_with_occasion(Ledger& ledger, const std::string& type, const std::string& date) {
    const auto user = ledger.add(Ledger::born(1990y / 6 / 1));
    ledger.execute("INSERT INTO user_occasions (user_id, message_type, date) VALUES ('" +
                   domain::to_string(user) + "', '" + type + "', '" + date + "')");
    return user;
}

void make_type(Ledger& ledger, const std::string& name) {
    ledger.execute("INSERT INTO message_types (name, template, created_at, rules_changed_at) VALUES ('" +
                   name + "', 'All the best, {first_name}', 'epoch', 'epoch')");
}

int types_named(Ledger& ledger, const std::string& name) {
    return ledger.value<int>("SELECT count(*) FROM message_types WHERE name = $1", name);
}

}  // namespace

TEST_CASE("another send time moves what is pending, and nothing goes out at the old one") {
    Ledger ledger(at(today, 8h));
    const auto users = ledger.people_due(5);
    edit(ledger, "send_at = '17:30'");

    SECTION("by the scheduler's pass") {
        ledger.finish_type_changes(2);
        CHECK(postgres::changed_types(ledger.pool).empty());
    }
    SECTION("when they come up for dispatch before it") {
        ledger.set_clock(at(today, 9h));
        CHECK(ledger.dispatch().empty());
    }
    for (const auto& user : users) {
        CHECK(ledger.message(user).scheduled == at(today, 17h + 30min));
        CHECK(ledger.message(user).due == at(today, 17h + 30min));
    }
    ledger.set_clock(at(today, 17h + 30min));
    CHECK(ledger.dispatch().size() == 5);
}

TEST_CASE("a hint from before an edit claims nothing, and the message goes out by the new rules") {
    Ledger ledger(at(today, 9h));
    const auto user = ledger.people_due(1).front();
    const auto hints = ledger.dispatch();
    REQUIRE(hints.size() == 1);
    edit(ledger, "send_at = '10:00'");

    const auto report = ledger.claim(hints);
    CHECK(report.claimed.empty());
    CHECK(report.outdated.size() == 1);
    CHECK(ledger.message(user).status == "SCHEDULED");
    ledger.set_clock(at(today, 10h));
    CHECK(ledger.claim(ledger.dispatch()).claimed.size() == 1);
}

TEST_CASE("a pass that another edit overtakes comes to its end") {
    Ledger ledger(at(today, 8h));
    const auto users = ledger.people_due(3);
    edit(ledger, "send_at = '17:30'");
    const auto overtaken = postgres::changed_types(ledger.pool).front();
    edit(ledger, "send_at = '18:30'");
    REQUIRE(postgres::outdated_users(ledger.pool, overtaken, 10).size() == 3);
    postgres::replan(ledger.pool, users);
    CHECK(postgres::outdated_users(ledger.pool, overtaken, 10).empty());
}

TEST_CASE("a message whose new time is in the past is due at once, and one that is out stays out") {
    Ledger ledger(at(today, 8h));
    const auto sent = ledger.people_due(1).front();
    ledger.set_clock(at(today, 9h));
    const auto claimed = ledger.claim(ledger.dispatch()).claimed;
    REQUIRE(claimed.size() == 1);
    const auto waits = ledger.add(Ledger::born(1990y / 2 / 28, "UTC"));
    ledger.set_clock(at(2027y / 2 / 28, 8h));
    edit(ledger, "send_at = '07:00'");
    ledger.finish_type_changes();

    CHECK(ledger.message(waits).due == at(2027y / 2 / 28, 7h));
    CHECK(ledger.message(sent).status == "SENDING");
    CHECK(ledger.message(sent).scheduled == at(today, 9h));
    CHECK(ledger.dispatch().size() == 1);
}

TEST_CASE("words and limits of a type change without a look at the messages") {
    Ledger ledger(at(today, 8h));
    ledger.people_due(1);
    edit(
        ledger,
        "template = 'Hello', late_template = 'Sorry', max_lateness = '1 hour', paused_until = '2027-03-05Z'");
    CHECK(postgres::changed_types(ledger.pool).empty());
    ledger.plan();
    CHECK(postgres::units_due(ledger.pool, 26h).empty());
}

TEST_CASE("another rule for 29 February moves those born on it, also after they were planned") {
    Ledger ledger(at(today, 8h));
    const auto user = ledger.add(Ledger::born(2000y / 2 / 29));
    ledger.plan();
    REQUIRE(ledger.message(user).date == 2027y / 2 / 28);

    edit(ledger, "leap_day = 'mar1'");
    ledger.finish_type_changes();
    CHECK(ledger.messages(user).empty());
    CHECK(ledger.value<int>("SELECT count(*) FROM audit_log WHERE action = 'message removed'") == 1);
    ledger.set_clock(at(2027y / 2 / 28, 8h));
    ledger.plan();
    CHECK(ledger.message(user).date == 2027y / 3 / 1);
    CHECK(ledger.message(user).rule == "leap:mar1");
}

TEST_CASE("days that are planned are opened again for whom the old rules left out") {
    Ledger ledger(at(2027y / 2 / 27, 12h));
    edit(ledger, "leap_day = 'skip'");
    ledger.finish_type_changes();
    const auto user = ledger.add(Ledger::born(2000y / 2 / 29));
    ledger.plan();
    REQUIRE(ledger.messages(user).empty());

    SECTION("before its time") {
        edit(ledger, "leap_day = 'feb28'");
        ledger.plan();
        CHECK(ledger.message(user).scheduled == at(2027y / 2 / 28, 9h));
    }
    SECTION("but not after it: that became known too late") {
        ledger.set_clock(at(2027y / 2 / 28, 10h));
        ledger.plan();
        edit(ledger, "leap_day = 'feb28'");
        ledger.plan();
        ledger.change(user, [](domain::UserFields& fields) { fields.timezone = "Europe/London"; });
        ledger.rows("SELECT replan(ARRAY[$1::uuid])", user);
        CHECK(ledger.messages(user).empty());
    }
    SECTION("nor as long as somebody else changes") {
        ledger.set_clock(at(2027y / 2 / 28, 10h));
        ledger.plan();
        edit(ledger, "leap_day = 'feb28'");
        ledger.rows("SELECT replan(ARRAY[$1::uuid])", user);
        CHECK(ledger.messages(user).empty());
    }
}

TEST_CASE("what a planner that is behind owes is still owed after an edit") {
    Ledger ledger(at(2027y / 2 / 24, 12h));
    ledger.plan();
    ledger.set_clock(at(2027y / 2 / 24, 12h));
    auto person = Ledger::born(1990y / 2 / 26);
    person.email = "a@example.com";
    ledger.add_unplanned({person}, "2027-02-01T00:00Z");
    const auto user = ledger.value<domain::Uuid>("SELECT id FROM users");
    ledger.set_clock(at(2027y / 2 / 27, 8h));  // nobody has planned since

    edit(ledger, "send_at = '10:00'");
    SECTION("to the planner") {
        ledger.plan();
    }
    SECTION("to a change of the person") {
        ledger.change(user, [](domain::UserFields& fields) { fields.timezone = "Europe/London"; });
        ledger.plan();
    }
    CHECK(ledger.message(user).scheduled == at(2027y / 2 / 26, 10h));
}

TEST_CASE("an edit between the chunks of a unit plans all of it by the new rules") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    std::vector<domain::UserFields> people(5, Ledger::born(1990y / 2 / 28));
    for (std::size_t i = 0; i < people.size(); ++i) people[i].email = std::to_string(i) + "@example.com";
    ledger.add_unplanned(people, "2027-02-26T00:00Z");
    const auto chunk = [&] {
        return ledger.value<bool>("SELECT finished FROM plan_chunk('BIRTHDAY', 'UTC', '2027-02-28', 2)");
    };
    while (ledger.value<domain::Date>("SELECT day FROM first_unplanned WHERE message_type = 'BIRTHDAY'") <
           2027y / 2 / 28)
        ledger.rows(
            "SELECT plan_chunk('BIRTHDAY', 'UTC', day, 100) FROM first_unplanned WHERE message_type = "
            "'BIRTHDAY'");
    REQUIRE_FALSE(chunk());
    REQUIRE(ledger.messages().size() == 2);

    edit(ledger, "send_at = '09:30'");
    ledger.plan(2);
    ledger.finish_type_changes();
    const auto messages = ledger.messages();
    CHECK(messages.size() == 5);
    for (const auto& message : messages) CHECK(message.scheduled == at(2027y / 2 / 28, 9h + 30min));
    CHECK(ledger.value<int>("SELECT rows FROM plan_runs WHERE delivery_date = '2027-02-28' AND "
                            "message_type = 'BIRTHDAY'") == 5);
}

TEST_CASE("a unit that was interrupted is gone on with where it stopped") {
    Ledger ledger(at(2027y / 2 / 27, 8h));
    std::vector<domain::UserFields> people(5, Ledger::born(1990y / 2 / 27));
    for (std::size_t i = 0; i < people.size(); ++i) people[i].email = std::to_string(i) + "@example.com";
    ledger.add_unplanned(people, "2027-02-26T00:00Z");
    int asked = 0;
    for (const auto& unit : postgres::units_due(ledger.pool, 26h)) {
        if (unit.delivery_date > today) break;
        postgres::plan_unit(ledger.pool, unit, 2,
                            [&] { return unit.message_type != "BIRTHDAY" || ++asked != 3; });
    }
    // The first two chunks of somebody else: were they looked at again, these would come back.
    REQUIRE(ledger.messages().size() >= 2);
    const auto before = ledger.messages().size();
    ledger.execute("DELETE FROM message_logs");
    ledger.plan(2);
    CHECK(ledger.messages().size() == 5 - before);
}

TEST_CASE("a pause that ends early gives back at once what waits for its end") {
    Ledger ledger(at(today, 9h));
    const auto user = ledger.people_due(1).front();
    edit(ledger, "paused_until = '2027-02-27 20:00Z'");
    CHECK(ledger.dispatch().empty());
    REQUIRE(ledger.message(user).due == at(today, 20h));

    ledger.set_clock(at(today, 10h));
    const auto end = GENERATE("NULL", "'2027-02-27 12:00Z'");
    edit(ledger, std::string("paused_until = ") + end);
    ledger.finish_type_changes();
    CHECK(ledger.message(user).scheduled == at(today, 9h));
    if (end == std::string("NULL")) {
        CHECK(ledger.dispatch().size() == 1);
    } else {
        CHECK(ledger.dispatch().empty());
        CHECK(ledger.message(user).due == at(today, 12h));
    }
}

TEST_CASE("a deleted type sends nothing more, and leaves nothing but what was sent and what is in doubt") {
    Ledger ledger(at(today, 8h));
    make_type(ledger, "RENEWAL");
    const auto pending = add_with_occasion(ledger, "RENEWAL", "2020-02-27");
    const auto queued = add_with_occasion(ledger, "RENEWAL", "2020-02-27");
    const auto doubtful = add_with_occasion(ledger, "RENEWAL", "2020-02-27");
    ledger.set_clock(at(today, 9h));
    const auto hints = ledger.dispatch();
    REQUIRE(hints.size() == 3);
    const auto set = [&](const domain::Uuid& user, const std::string& values) {
        ledger.execute("UPDATE message_logs SET " + values + " WHERE user_id = '" + domain::to_string(user) +
                       "'");
    };
    set(pending, "status = 'SCHEDULED', due_at = scheduled_send_time");
    set(doubtful, "status = 'RETRYING', due_at = scheduled_send_time, in_doubt = true, attempt = 1");

    edit(ledger, "deleted_at = app_now()", "RENEWAL");
    SECTION("by the pass") {
        ledger.finish_type_changes(1);
    }
    SECTION("by dispatch and claim before it") {
        CHECK(ledger.dispatch().empty());
        CHECK(ledger.claim(hints).claimed.empty());
        CHECK(ledger.messages(queued).empty());
        ledger.finish_type_changes();
    }
    CHECK(ledger.messages(pending).empty());
    CHECK(ledger.message(doubtful).status == "UNKNOWN");
    CHECK(ledger.message(doubtful).error == "message type deleted");
    CHECK(types_named(ledger, "RENEWAL") == 0);
    CHECK(ledger.value<int>("SELECT count(*) FROM user_occasions") == 0);

    // A hint that comes late meets a type of the same name, made anew.
    make_type(ledger, "RENEWAL");
    CHECK(ledger.claim(hints).claimed.empty());
    CHECK(ledger.messages(queued).empty());
}

TEST_CASE("a type that is being deleted takes no dates, and its dates go without a change of their users") {
    Ledger ledger(at(today, 8h));
    make_type(ledger, "RENEWAL");
    const auto user = add_with_occasion(ledger, "RENEWAL", "2020-02-27");
    const auto version = ledger.value<int>("SELECT plan_version FROM users WHERE id = $1", user);
    edit(ledger, "deleted_at = app_now()", "RENEWAL");
    CHECK_THROWS_AS(add_with_occasion(ledger, "RENEWAL", "2020-02-27"), postgres::DatabaseError);
    ledger.finish_type_changes();
    CHECK(types_named(ledger, "RENEWAL") == 0);
    CHECK(ledger.value<int>("SELECT plan_version FROM users WHERE id = $1", user) == version);
}

TEST_CASE("edits beside planners and clients leave what replanning everything at the end leaves",
          "[threads]") {
    Ledger ledger(at(today, 20h));  // every time below is within the horizon
    std::vector<domain::Uuid> users;
    for (int i = 0; i < 20; ++i) users.push_back(ledger.add(Ledger::born(2000y / 2 / 29)));
    std::atomic<bool> done{false};
    const auto until_done = [&](auto work) {
        return std::jthread([&done, work]() mutable {
            while (!done) work();
        });
    };
    {
        const std::jthread planner = until_done([&] { ledger.plan(3); });
        const std::jthread pass = until_done([&] { ledger.finish_type_changes(3); });
        const std::jthread client = until_done([&, i = 0]() mutable {
            ledger.change(
                users[static_cast<std::size_t>(++i) % users.size()],
                [&](domain::UserFields& fields) { fields.timezone = i % 2 == 0 ? "UTC" : "Asia/Tokyo"; });
        });
        for (int i = 0; i < 40; ++i) {
            edit(ledger, i % 2 == 0 ? "leap_day = 'skip'"
                                    : "leap_day = 'feb28', send_at = '1" + std::to_string(i % 10) + ":00'");
        }
        done = true;
    }
    ledger.plan();
    ledger.finish_type_changes();
    const auto seen = [&] {
        std::map<domain::Uuid, std::pair<domain::Instant, std::string>> found;
        for (const auto& message : ledger.messages()) found[message.user] = {message.scheduled, message.rule};
        return found;
    };
    const auto left = seen();
    CHECK(left.size() == users.size());
    CHECK(ledger.value<int>(
              "SELECT count(*) FROM message_logs m JOIN message_types t ON t.name = m.message_type "
              "WHERE m.type_version <> t.version") == 0);
    ledger.execute("DELETE FROM message_logs; SELECT replan(ARRAY(SELECT id FROM users))");
    CHECK(left == seen());
}
