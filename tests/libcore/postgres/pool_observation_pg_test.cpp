// What a pool tells of itself: who has borrowed what, why connections end, and a pause.
#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "libcore/postgres/transaction.hpp"
#include "tests/libcore/postgres/pool_fixture.hpp"
#include "tests/support/eventually.hpp"

using namespace std::chrono_literals;
using namespace postgres;
using Clock = std::chrono::steady_clock;
using Kind = Observation::Kind;

namespace {

/// What was told, by kind.
class Told {
public:
    struct Entry {
        Kind kind;
        std::string name;
        std::string file;
        unsigned line;
        int backend_pid;
        std::string parameters;
        std::chrono::nanoseconds duration;
    };

    Observe observe() {
        return [this](const Observation& it) {
            const std::lock_guard lock(mutex_);
            entries_.push_back({it.kind, std::string(it.name), it.from.file_name(), it.from.line(),
                                it.backend_pid, std::string(it.parameters), it.duration});
        };
    }
    std::vector<Entry> of(Kind kind) const {
        const std::lock_guard lock(mutex_);
        std::vector<Entry> found;
        std::ranges::copy_if(entries_, std::back_inserter(found),
                             [&](const Entry& it) { return it.kind == kind; });
        return found;
    }
    std::vector<std::string> names(Kind kind) const {
        std::vector<std::string> names;
        for (const auto& entry : of(kind)) names.push_back(entry.name);
        return names;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
};

struct Fixture : PoolFixture {
    Told told;
};

const std::string this_file = "pool_observation_pg_test.cpp";

}  // namespace

TEST_CASE_METHOD(Fixture, "a connection that is lent for too long is told once, with who borrowed it") {
    auto strict = settings(2);
    strict.leak_after = 50ms;
    Pool pool(strict, told.observe());
    {
        const Lease kept = pool.lease();
        const auto line = static_cast<unsigned>(__LINE__ - 1);
        REQUIRE(support::eventually([&] { return told.of(Kind::leak).size() == 1; }));
        const auto leak = told.of(Kind::leak).front();
        CHECK(leak.file.ends_with(this_file));
        CHECK(leak.line == line);
        CHECK(leak.backend_pid == kept->backend_pid());
        CHECK(pool.state().overdue == 1);
        const auto reports = pool.connections();
        REQUIRE(reports.size() == 1);
        CHECK(reports[0].overdue);
        CHECK(reports[0].state == "active");
        CHECK(reports[0].from.line() == line);
        CHECK(reports[0].backend_pid == kept->backend_pid());
        // It is not taken back, and others are told as well.
        CHECK(kept->run(echo, 1).front().get<int>(0) == 1);
        transact(pool, [&](Transaction& transaction) {
            transaction.run(echo, 1);
            REQUIRE(support::eventually([&] { return told.of(Kind::leak).size() == 2; }));
        });
        CHECK(told.of(Kind::leak).back().line > line);
    }
    CHECK(pool.state().overdue == 0);
    CHECK(pool.connections().front().state == "idle");
}

TEST_CASE_METHOD(Fixture, "a statement is told with its place and its parameters' types, not their values") {
    Pool pool(settings(1), told.observe());
    pool.run({"find", "SELECT $1::text, $2::bigint[]"}, "secret", std::vector<std::int64_t>{7});
    const auto line = static_cast<unsigned>(__LINE__ - 1);
    const auto seen = told.of(Kind::statement);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].name == "find");
    CHECK(seen[0].parameters == "text, bigint[]");
    CHECK(seen[0].file.ends_with(this_file));
    CHECK(seen[0].line == line);
}

TEST_CASE_METHOD(Fixture, "a pool tells why each connection ended") {
    using Names = std::vector<std::string>;
    auto small = settings(3);
    small.max_uses = 3;
    Pool pool(small, told.observe());
    pool.lease();
    pool.renew();
    pool.lease()->close();
    for (int i = 0; i < 3; ++i) pool.lease();
    { const Lease one = pool.lease(), other = pool.lease(); }
    pool.resize(1, 0);
    CHECK(told.names(Kind::close) == Names{"renewed", "broken", "uses", "resized"});
    const int pid = pool.lease()->backend_pid();
    end_backend(pid);
    REQUIRE(support::eventually([&] { return pool.lease()->backend_pid() != pid; }));
    const auto closed = told.of(Kind::close);
    CHECK(std::ranges::any_of(closed, [&](const auto& it) {
        return it.backend_pid == pid && (it.name == "dead" || it.name == "uses");
    }));
    CHECK(told.of(Kind::connect).size() == closed.size() + 1);
}

TEST_CASE_METHOD(Fixture, "a refusal is told by its reason") {
    auto hasty = settings(1);
    hasty.acquire_timeout = 10ms;
    Pool pool(hasty, told.observe());
    {
        const Lease kept = pool.lease();
        CHECK_THROWS_AS(pool.lease(), PoolExhausted);
    }
    pool.pause(Clock::now() + 1h);
    CHECK_THROWS_WITH(pool.run(echo, 1), Catch::Contains("an operator has paused the pool"));
    CHECK(told.names(Kind::acquire) == std::vector<std::string>{"acquire", "late", "paused"});
}

TEST_CASE_METHOD(Fixture, "who has no time to be connected is told of, with who it was", "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    gate.stall();
    Pool pool(settings(1, gate), told.observe());
    CHECK_THROWS_AS(pool.until(Clock::now() + 50ms).lease(), DatabaseError);
    const auto acquired = told.of(Kind::acquire);
    REQUIRE(acquired.size() == 2);
    CHECK(acquired.back().name == "connecting");
    CHECK_THAT(acquired.back().file, Catch::EndsWith(this_file));
}

TEST_CASE_METHOD(Fixture, "a loan begins when there is a connection, and until then it is said to be opened",
                 "[threads]") {
    support::TcpGate gate("127.0.0.1", database.port());
    auto gated = settings(2);
    gated.connection.url = support::through(database.url(), gate.port());
    gated.min = 1;
    const auto began = Clock::now();
    gate.stall();
    Pool pool(gated, told.observe());
    std::thread caller([&] { pool.lease(); });
    REQUIRE(support::eventually([&] { return pool.connections().size() == 2; }));
    for (const auto& each : pool.connections()) {
        CHECK(each.state == "opening");
        CHECK(each.since >= began);
    }
    std::this_thread::sleep_for(500ms);
    const auto opened = Clock::now();
    gate.forward();
    caller.join();
    REQUIRE(told.of(Kind::use).size() == 1);
    CHECK(told.of(Kind::use)[0].duration < Clock::now() - opened);
}

TEST_CASE_METHOD(Fixture, "a paused pool lends nothing until it is resumed, and keeps who waits",
                 "[threads]") {
    Pool pool(settings(2));
    std::thread waiting;
    {
        const Lease kept = pool.lease();
        pool.pause(Clock::now() + 1h);
        REQUIRE(pool.state().paused_until);
        waiting = std::thread([&] { pool.run(echo, 1); });
        REQUIRE(support::eventually([&] { return pool.state().waiting == 1; }));
        // What is out goes on.
        CHECK(kept->run(echo, 2).front().get<int>(0) == 2);
    }
    CHECK(pool.state().active == 0);
    CHECK(pool.state().waiting == 1);
    pool.resume();
    waiting.join();
    CHECK_FALSE(pool.state().paused_until);
    CHECK(pool.run(echo, 3).front().get<int>(0) == 3);
}

TEST_CASE_METHOD(Fixture, "a pause ends by itself") {
    Pool pool(settings(1));
    pool.run(echo, 1);
    const auto started = Clock::now();
    pool.pause(started + 100ms);
    pool.run(echo, 2);
    CHECK(Clock::now() - started >= 100ms);
    CHECK_FALSE(pool.state().paused_until);
}
