// An update of the server's time zone data under real services: nothing goes out at a wrong time.

#include <catch2/catch.hpp>

#include "tests/services/drill.hpp"
#include "tests/support/servers/zone_server.hpp"

namespace {

using namespace drill;
using Catch::Matchers::Contains;
using support::Finished;
using support::Service;

const std::string moved = "Test/Moved";
const std::string same = "Test/Same";
const std::string birthday = "1990-03-11";
const std::string ahead_by_two = "2:00 - TWO";
const std::string ahead_by_one = "1:00 - ONE";

constexpr postgres::Statement rules_seen{"rules_seen", "SELECT count(*) FROM zone_rules"};
constexpr postgres::Statement instants{
    "instants",
    "SELECT count(*) FROM message_logs WHERE timezone = $1 AND scheduled_send_time = $2::timestamptz"};
constexpr postgres::Statement generation{"generation", "SELECT generation, settled FROM zone_generation"};

/// Two zones two hours ahead of UTC, and services with a database role of their own: the tests' session goes
/// by the rules it read first, too.
class Drill {
public:
    Drill()
        : system((server.put_zone(moved, ahead_by_two), server.put_zone(same, ahead_by_two),
                  System::Servers{.database = server.url()})) {
        system.sql.execute("CREATE ROLE services LOGIN SUPERUSER");
        database_url_ = system.database.url();
        database_url_.replace(database_url_.find("user=postgres"), 13, "user=services");
    }

    Environment environment(Environment more = {}) const {
        more.emplace("DATABASE_URL", database_url_);
        return system.environment(more);
    }

    Service start(const std::string& program, const Environment& more = {}) const {
        return Service(program, environment(more));
    }

    Finished replan_zones(std::vector<std::string> arguments = {}) const {
        arguments.insert(arguments.begin(), "replan-zones");
        return support::run("scheduler-svc", arguments, environment());
    }

    postgres::Connection session(const std::string& name) const {
        return postgres::Connection({.url = database_url_, .application_name = name});
    }

    /// How many messages of the zone are planned for this instant.
    int planned(const std::string& zone, const std::string& instant) {
        return system.sql.run(instants, zone, instant).front().get<int>(0);
    }

    bool rules_were_seen() {
        return eventually([&] { return system.sql.run(rules_seen).front().get<int>(0) > 100; });
    }

    bool settled() { return system.sql.run(generation).front().get<bool>(1); }

    support::ZoneServer server;
    System system;

private:
    std::string database_url_;
};

bool says(const Service& service, const std::string& event) {
    return service.process().log().find(event) != std::string::npos;
}

int post_user(const Service& api, const std::string& email) {
    const support::HttpHeaders json{{"Content-Type", "application/json"}};
    const auto body = R"({"firstName": "Ada", "lastName": "Byron", "timezone": "Test/Moved",
                          "birthdayDate": "1990-03-11", "email": ")" +
                      email + "\"}";
    return support::HttpClient(api.port()).request("POST", "/api/v1/users", body, json).status;
}

int status_of(const Service& api, const std::string& path) {
    return support::HttpClient(api.port()).request("GET", path).status;
}

}  // namespace

TEST_CASE_METHOD(Drill,
                 "zone rules that change under running services move what is pending, and nothing is early") {
    system.add({.count = 5, .zone = moved, .birthday = birthday});
    system.add({.count = 3, .zone = same, .birthday = birthday});
    const auto api = start("api-svc", {{"DB_POOL_MAX", "1"}, {"DB_POOL_MIN", "1"}});
    const auto scheduler = start("scheduler-svc");
    const auto worker = start("worker-svc");
    REQUIRE(rules_were_seen());
    REQUIRE(post_user(api, "before@example.org") == 201);
    REQUIRE(planned(moved, "2027-03-11T07:00:00Z") == 6);

    server.put_zone(moved, ahead_by_one);
    REQUIRE(post_user(api, "stale@example.org") == 201);
    REQUIRE(planned(moved, "2027-03-11T07:00:00Z") == 7);  // the API's session still has the rules of before

    const auto tried = replan_zones({"--dry-run"});
    CHECK(tried.exit_code == 0);
    CHECK_THAT(tried.output, Contains("7 pending messages of 1 time zones") && Contains(moved) &&
                                 Contains("UTC+02:00 -> UTC+01:00  by +01:00"));
    CHECK(planned(moved, "2027-03-11T07:00:00Z") == 7);

    const auto done = replan_zones();
    CAPTURE(done.output);
    CHECK(done.exit_code == 0);
    CHECK_THAT(done.output,
               Contains("1 time zones have other rules") && Contains("7 moved, 0 removed, 0 inserted"));
    CHECK(planned(moved, "2027-03-11T08:00:00Z") == 7);
    CHECK(planned(same, "2027-03-11T07:00:00Z") == 3);
    CHECK(settled());
    CHECK(says(api, "renewed the database connections"));
    CHECK(says(worker, "renewed the database connections"));
    REQUIRE(post_user(api, "after@example.org") == 201);
    CHECK(planned(moved, "2027-03-11T08:00:00Z") == 8);

    const auto again = replan_zones();
    CHECK(again.exit_code == 0);
    CHECK_THAT(again.output,
               Contains("0 time zones have other rules") && Contains("0 pending messages of 0 time zones"));

    system.set_clock("2027-03-11T07:59:58Z", 0);
    REQUIRE(system.sent(3));
    system.set_clock("2027-03-11T07:59:58Z");
    REQUIRE(system.sent(11));
    CHECK(system.compare() == Comparison{.delivered = 11});
}

TEST_CASE_METHOD(
    Drill, "a scheduler that starts after an update of the zones notices it and moves what is pending") {
    system.add({.count = 4, .zone = moved, .birthday = birthday});
    {
        auto scheduler = start("scheduler-svc");
        REQUIRE(rules_were_seen());
        CHECK(scheduler.stop() == 0);
    }
    server.put_zone(moved, ahead_by_one);
    const auto worker = start("worker-svc");
    const auto scheduler = start("scheduler-svc");
    REQUIRE(eventually([&] { return planned(moved, "2027-03-11T08:00:00Z") == 4; }));
    CHECK(eventually([&] { return settled() && metric(scheduler, "zone_rules_unsettled") == 0; }));
    CHECK(metric(scheduler, "zone_rules_changes_total") == 1);
    CHECK(metric(scheduler, "zone_messages_moved_total") == 4);
    CHECK(says(scheduler, "time zone rules have changed"));
    CHECK_THAT(support::http_get(scheduler.ops_port(), "/metrics").body, Contains("tzdata_info{"));
}

TEST_CASE_METHOD(Drill,
                 "who still goes by old zone rules is named, and nothing is called done before they end") {
    system.add({.count = 4, .zone = moved, .birthday = birthday});
    REQUIRE(replan_zones().exit_code == 0);
    server.put_zone(moved, ahead_by_one);
    {
        const auto old = session("somebody");
        const auto tried = replan_zones({"--wait", "1"});
        CHECK(tried.exit_code == 1);
        CHECK_THAT(tried.output, Contains("not finished: 1 sessions") &&
                                     Contains("somebody (pid " + std::to_string(old.backend_pid()) + ")"));
        CHECK(planned(moved, "2027-03-11T08:00:00Z") == 4);
        CHECK_FALSE(settled());
    }
    CHECK(replan_zones().exit_code == 0);
    CHECK(settled());
    CHECK(replan_zones({"--wait", "a while"}).exit_code == 2);
}

TEST_CASE_METHOD(Drill, "a zone that an update drops stops nobody else, and its people are counted") {
    system.add({.count = 2, .zone = moved, .birthday = birthday});
    system.add({.count = 1, .zone = moved, .birthday = "1990-03-13"});
    system.add({.count = 3, .zone = same, .birthday = "1990-03-12"});
    const auto api = start("api-svc");
    {
        auto scheduler = start("scheduler-svc");
        REQUIRE(rules_were_seen());
        CHECK(scheduler.stop() == 0);
    }
    REQUIRE(post_user(api, "before@example.org") == 201);
    system.sql.execute(
        "INSERT INTO users (id, first_name, last_name, email, timezone) "
        "VALUES (uuid_v7(), 'Ada', 'Byron', 'no.date@example.org', '" +
        std::string(moved) + "')");
    server.drop_zone(moved);
    system.sql.execute("UPDATE message_types SET late_template = 'Belated: {full_name}'");

    const auto worker = start("worker-svc");
    const auto scheduler = start("scheduler-svc");
    CHECK(eventually([&] { return metric(scheduler, "zones_unknown") == 1; }));
    CHECK(metric(scheduler, "zones_unknown_users") == 4);
    CHECK(says(scheduler, "the database server does not know a time zone in use"));
    CHECK(eventually([&] { return settled(); }));
    CHECK(eventually([&] { return post_user(api, "after@example.org") == 400; }));

    // What was planned before goes out when it was to.
    system.set_clock("2027-03-11T06:59:59Z", 0);
    CHECK(system.requests().empty());
    system.set_clock("2027-03-11T07:00:00Z", 0);
    REQUIRE(system.sent(3));
    system.set_clock("2027-03-12T07:00:00Z", 0);
    REQUIRE(system.sent(6));
    // And can be looked at.
    for (const auto row :
         system.sql.run({"people", "SELECT id::text FROM users WHERE timezone = 'Test/Moved'"})) {
        const auto path = "/api/v1/users/" + row.get<std::string>(0);
        CHECK(status_of(api, path + "/messages") == 200);
        CHECK(status_of(api, path + "/schedule") == 200);
        CHECK(status_of(api, path + "/explanation?type=BIRTHDAY&date=2027-03-11") == 200);
    }
    CHECK(status_of(api, "/api/v1/schedule/preview") == 200);
    // Who moves away from the zone is planned again.
    system.sql.execute("UPDATE users SET timezone = 'Test/Same' WHERE birthday_date = '1990-03-13'");
    system.set_clock("2027-03-13T07:00:00Z", 0);
    REQUIRE(system.sent(7));
    CHECK(system.compare() == Comparison{.delivered = 7});
}
