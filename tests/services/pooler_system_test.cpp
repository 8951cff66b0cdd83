// All three services with PgBouncer in transaction mode between them and the database, and nothing else
// changed.

#include <catch2/catch.hpp>

#include "tests/services/api_under_test.hpp"
#include "tests/services/drill.hpp"
#include "tests/support/servers/pooler.hpp"

using namespace drill;

TEST_CASE("behind a pooler with fewer connections than clients people are added, changed and greeted once") {
    System system(System::Provider::naive);
    const support::Pooler pooler(system.database.url(), 4);
    const Environment pooled{
        {"DATABASE_URL", pooler.url()}, {"PROVIDER_TIMEOUT", "10s"}, {"DELIVERY_LEASE", "30s"}};
    {
        tests::Api api(pooler.url(), {{"APP_ENV", "development"}});
        for (int i = 0; i < 5; ++i) {
            const auto added = api.call("POST", tests::users, tests::user_with());
            REQUIRE(added.status == 201);
            const auto location = added.header("location");
            CHECK(api.call("GET", location).body == added.body);
            CHECK(api.call("GET", location + "/schedule").status == 200);
            CHECK(api.call("DELETE", location).status == 204);
        }
        CHECK(api.call("GET", "/api/v1/messages").status == 200);
        CHECK(api.call("GET", "/api/v1/schedule/preview?from=2027-03-11&to=2027-03-12").status == 200);
    }
    system.add({.count = 300});
    const auto scheduler = system.start("scheduler-svc", pooled);
    const auto one = system.start("worker-svc", pooled), other = system.start("worker-svc", pooled);
    system.set_clock(nine);
    REQUIRE(system.sent(300));
    CHECK(system.compare() == Comparison{.delivered = 300});
}
