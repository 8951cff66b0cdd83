// A pool whose server, one of its own, crashes, is killed, stands still or gives way to its standby.
#include <csignal>
#include <functional>

#include "tests/libcore/postgres/pool_storm.hpp"
#include "tests/support/servers/postgres_server.hpp"

using namespace std::chrono_literals;
using namespace postgres;

TEST_CASE("a server that crashes, is killed or stands still under load is found again within a second",
          "[threads]") {
    support::PostgresServer server;
    const support::TestDatabase database(server.url(), support::TestDatabase::Content::nothing);
    constexpr int max = 4;
    const Census census(database, max);
    Pool pool(unhindered(PoolFixture::settings_of(database, max)));
    Crowd crowd(pool, 8, 500ms, 0.005);
    const auto disturb = [&](const std::string& what, const std::function<void()>& fault) {
        check_that_it_works_within_a_second_of(what, pool, fault);
        CHECK(crowd.gets(20));
    };
    for (int i = 0; i < 2; ++i)
        disturb("an immediate shutdown", [&] {
            server.crash();
            server.start();
        });
    disturb("being killed", [&] {
        server.kill();
        server.start();
    });
    disturb("one session killed, for which the server ends them all", [&] {
        auto witness = database.connection();
        ::kill(database.connection().backend_pid(), SIGKILL);
        REQUIRE(support::eventually([&] {
            try {
                return witness.run(own_pid).empty();
            } catch (const DatabaseError&) {
                return true;
            }
        }));
        REQUIRE(support::eventually([&] { return support::answers(server.url()); }));
    });
    disturb("being frozen", [&] {
        server.freeze();
        std::this_thread::sleep_for(700ms);
        server.thaw();
    });
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.longest() < 500ms + slack);
    CHECK(census.most() <= max);
}

TEST_CASE("a pool that knows both servers goes over to the standby that takes over", "[threads]") {
    support::PostgresServer primary;
    const support::PostgresServer standby(support::PostgresServer::StandbyOf{primary});
    Pool pool(unhindered(
        {.connection = {.url = support::PostgresServer::url_of_either(primary, standby)}, .max = 3}));
    pool.run({"create", "CREATE TABLE t (n bigint)"});
    Crowd crowd(pool, 4, 500ms, 0.005);
    primary.kill();
    standby.promote();
    const auto took = until_it_works(pool);
    WARN("works " << took.count() << " ms after the promotion");
    CHECK(took < 1s + slack);
    pool.run(slow_insert, 1, 0.0);
    crowd.leave();
    CHECK(crowd.wrong() == 0);
    CHECK(pool.run(count).front().get<int>(0) == 1);
}
