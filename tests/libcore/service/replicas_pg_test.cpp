// Reads of real replicas whose replay is paused, which are killed, frozen and promoted.

#include "libcore/service/replicas.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "libcore/postgres/replica_table.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using postgres::LogPosition;
using postgres::Pool;
using service::Replicas;
using support::eventually;
using support::PostgresServer;

constexpr postgres::Statement in_recovery{"in_recovery", "SELECT pg_is_in_recovery()"};
constexpr postgres::Statement rows{"rows", "SELECT count(*) FROM t"};
constexpr postgres::Statement rest_on_rows{"rest_on_rows", "SELECT pg_sleep(10) FROM t"};

// What a loaded machine may add to any deadline.
constexpr auto slack = 2s;

enum class By { primary, replica };

By by(Pool& pool) {
    return pool.run(in_recovery).front().get<bool>(0) ? By::replica : By::primary;
}

bool never(By) {
    return false;
}

/// A primary with a table, and what a service makes of its replicas.
struct Reader {
    Reader() { execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)"); }

    void read_from(const std::vector<const PostgresServer*>& servers) {
        std::vector<service::ReplicaSettings> settings;
        for (const auto* server : servers)
            settings.push_back({"replica" + std::to_string(settings.size()),
                                {.connection = {.url = server->url(),
                                                .connect_timeout = 1s,
                                                .statement_timeout = 2s,
                                                .query_timeout = 2s},
                                 .max = 2,
                                 .reserve = 0,
                                 .acquire_timeout = 100ms,
                                 .connects_per_second = 0}});
        replicas.emplace(settings, pool, loops, [](const std::string&, const postgres::PoolSettings& its) {
            return postgres::Pool(its);
        });
    }

    void execute(const std::string& script) { pool.lease()->execute(script); }
    LogPosition end() { return postgres::log_end(pool); }

    By read(const std::optional<LogPosition>& after = {}) { return replicas->read(after, by, never); }
    std::string standing(int replica = 0) const {
        return std::string(replicas->views().at(static_cast<std::size_t>(replica)).standing);
    }
    bool becomes(const std::string& expected, int replica = 0) const {
        return eventually([&] { return standing(replica) == expected; });
    }
    /// A replica answers: at once, unless this machine is too busy to look at it.
    bool reads_replica(const std::optional<LogPosition>& after = {}) {
        return eventually([&] { return read(after) == By::replica; });
    }
    /// Of a metric, with its label.
    double value(const std::string& metric) const {
        const auto text = registry.text();
        const auto at = text.find("\n" + metric + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + metric.size() + 2));
    }
    double lag() const { return value("db_replica_lag_seconds{replica=\"replica0\"}"); }
    double fallbacks(const std::string& reason) const {
        return value("db_read_fallbacks_total{reason=\"" + reason + "\"}");
    }

    PostgresServer primary;
    runtime::Registry registry{"test"};
    runtime::Loops loops{registry, 1min};
    Pool pool{{.connection = {.url = primary.url()}, .max = 8, .connects_per_second = 0}};
    std::optional<Replicas> replicas;
};

/// Asks as fast as it can, until its end.
class Load {
public:
    explicit Load(Reader& reader) : reader_(reader), one_(worker()), other_(worker()) {}

    int failed() const { return failed_; }
    std::chrono::milliseconds longest() const { return longest_; }

private:
    std::jthread worker() {
        return std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) ask();
        });
    }
    void ask() {
        const auto began = std::chrono::steady_clock::now();
        try {
            reader_.read();
        } catch (const postgres::DatabaseError&) {
            ++failed_;
        }
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
        for (auto longest = longest_.load(); took > longest;)
            if (longest_.compare_exchange_weak(longest, took)) break;
    }

    Reader& reader_;
    std::atomic<int> failed_ = 0;
    std::atomic<std::chrono::milliseconds> longest_{0ms};
    std::jthread one_, other_;
};

}  // namespace

TEST_CASE("a replica answers until it lags by more than a second, and again when it has caught up",
          "[threads]") {
    Reader reader;
    const PostgresServer replica({.primary = reader.primary, .in_step = false});
    reader.read_from({&replica});
    REQUIRE(reader.becomes("in"));
    CHECK(reader.reads_replica());
    CHECK(reader.value("db_reads_total{target=\"replica0\"}") == 1);

    replica.pause_replay();
    // An idle primary leaves nobody behind.
    std::this_thread::sleep_for(1500ms);
    CHECK(reader.reads_replica());
    const auto paused = std::chrono::steady_clock::now();
    reader.execute("INSERT INTO t VALUES (2)");
    REQUIRE(reader.becomes("behind"));
    CHECK(std::chrono::steady_clock::now() - paused > 700ms);
    CHECK(eventually([&] { return reader.replicas->views().front().lag > 1s; }));
    CHECK(reader.lag() > 1);
    CHECK(reader.lag() < 20);
    CHECK(reader.read() == By::primary);
    CHECK(reader.value("db_replica_in{replica=\"replica0\"}") == 0);
    CHECK(reader.fallbacks("none_in") > 0);

    replica.resume_replay();
    REQUIRE(reader.becomes("in"));
    CHECK(reader.replicas->views().front().lag < 500ms);
    CHECK(reader.lag() >= 0);
    CHECK(reader.lag() < 0.5);
    CHECK(reader.reads_replica());
}

TEST_CASE("whoever has written reads what he wrote, from the primary until a replica has it", "[threads]") {
    Reader reader;
    const PostgresServer replica({.primary = reader.primary, .in_step = false});
    reader.read_from({&replica});
    REQUIRE(reader.becomes("in"));
    // Again when this machine was too busy to look at the replica.
    CHECK(eventually([&] {
        replica.pause_replay();
        reader.execute("INSERT INTO t VALUES (2)");
        CHECK(reader.read(reader.end()) == By::primary);
        replica.resume_replay();
        return reader.fallbacks("not_new_enough") > 0;
    }));

    CHECK(reader.reads_replica(reader.end()));
    const auto before = reader.pool.run(rows).front().get<int>(0);
    for (int write = 0; write < 200; ++write) {
        reader.execute("INSERT INTO t VALUES (3)");
        const auto seen = reader.replicas->read(
            reader.end(), [](Pool& pool) { return pool.run(rows).front().get<int>(0); },
            [](int) { return false; });
        REQUIRE(seen == before + 1 + write);
    }
}

TEST_CASE("a replica that has all there is has what a reader must see, also where a page of the log begins",
          "[threads]") {
    Reader reader;
    const PostgresServer replica({.primary = reader.primary, .in_step = false});
    reader.read_from({&replica});
    CHECK(reader.reads_replica(reader.end()));
    reader.execute("INSERT INTO t VALUES (2)");
    reader.execute("SELECT pg_switch_wal()");
    CHECK(reader.reads_replica(reader.end()));
}

TEST_CASE("a replica that may have crashed since it was looked at proves nothing by that look", "[threads]") {
    Reader reader;
    const PostgresServer replica({.primary = reader.primary, .in_step = false});
    reader.read_from({&replica});
    const auto written = reader.end();
    REQUIRE(reader.reads_replica(written));
    // As after a crash, but for that no connection says so.
    reader.replicas->renew();
    CHECK(reader.read(written) == By::primary);
    CHECK(reader.reads_replica());
    CHECK(reader.reads_replica(written));
}

TEST_CASE("no read fails while a replica is killed, comes back, freezes, thaws and is promoted",
          "[threads]") {
    Reader reader;
    PostgresServer replica({.primary = reader.primary, .in_step = false});
    reader.read_from({&replica});
    REQUIRE(reader.becomes("in"));
    const Load load(reader);

    replica.kill();
    CHECK(reader.becomes("unknown"));
    CHECK(std::isnan(reader.lag()));
    CHECK(reader.read() == By::primary);
    replica.start();
    CHECK(reader.becomes("in"));
    CHECK(load.longest() < 1s + slack);

    const auto frozen = std::chrono::steady_clock::now();
    replica.freeze();
    CHECK(reader.becomes("unknown"));
    CHECK(std::chrono::steady_clock::now() - frozen < 1s + slack);
    CHECK(reader.read() == By::primary);
    replica.thaw();
    CHECK(reader.becomes("in"));

    replica.promote();
    CHECK(reader.becomes("no_replica"));
    CHECK(reader.read() == By::primary);
    CHECK(load.failed() == 0);
    CHECK(load.longest() < 5s);
}

TEST_CASE("one of several replicas answers as long as one is in", "[threads]") {
    Reader reader;
    const PostgresServer one({.primary = reader.primary, .in_step = false});
    PostgresServer other({.primary = reader.primary, .in_step = false});
    reader.read_from({&one, &other});
    REQUIRE(reader.becomes("in", 0));
    REQUIRE(reader.becomes("in", 1));
    for (int read = 0; read < 10; ++read) CHECK(reader.reads_replica());
    CHECK(reader.value("db_reads_total{target=\"replica0\"}") > 0);
    CHECK(reader.value("db_reads_total{target=\"replica1\"}") > 0);

    one.pause_replay();
    reader.execute("INSERT INTO t VALUES (2)");
    const auto written = reader.end();
    CHECK(reader.reads_replica(written));
    REQUIRE(reader.becomes("behind", 0));
    CHECK(reader.reads_replica());
    other.kill();
    REQUIRE(reader.becomes("unknown", 1));
    CHECK(reader.read() == By::primary);
}

TEST_CASE("what a replica has no time or no connection for is the primary's within the same read",
          "[threads]") {
    Reader reader;
    // It does not wait for readers.
    const PostgresServer replica(
        {.primary = reader.primary, .in_step = false, .settings = {"max_standby_streaming_delay=0"}});
    reader.read_from({&replica});
    REQUIRE(reader.becomes("in"));

    // Replay and a reader want the same row.
    CHECK(eventually([&] {
        std::atomic<bool> reading = false;
        const std::jthread truncates([&] {
            while (!reading) std::this_thread::sleep_for(1ms);
            std::this_thread::sleep_for(200ms);
            reader.execute("TRUNCATE t");
            reader.execute("INSERT INTO t VALUES (1)");
        });
        const auto answered = reader.replicas->read(
            {},
            [&](Pool& pool) {
                const auto who = by(pool);
                reading = true;
                if (who == By::replica) pool.run(rest_on_rows);
                return who;
            },
            never);
        CHECK(answered == By::primary);
        return reader.fallbacks("conflict") > 0;
    }));

    CHECK(eventually([&] {
        const auto all_lent = reader.replicas->read(
            {},
            [&](Pool& pool) {
                if (by(pool) == By::primary) return By::primary;
                const auto first = pool.lease();
                const auto second = pool.lease();
                return by(pool);
            },
            never);
        CHECK(all_lent == By::primary);
        return reader.fallbacks("exhausted") > 0;
    }));
    CHECK(reader.reads_replica());
}

TEST_CASE("a server that follows no primary, or another one, is never read from", "[threads]") {
    Reader reader;
    const PostgresServer other_primary;
    const PostgresServer stranger({.primary = other_primary, .in_step = false});
    // What it has replayed could be of ours.
    for (int segment = 0; segment < 5; ++segment) {
        reader.execute("INSERT INTO t VALUES (2)");
        reader.execute("SELECT pg_switch_wal()");
    }
    reader.read_from({&reader.primary, &stranger});
    CHECK(reader.becomes("no_replica", 0));
    CHECK(reader.becomes("no_replica", 1));
    CHECK(reader.read() == By::primary);
}

TEST_CASE("without replicas there is neither metric nor loop", "[threads]") {
    Reader reader;
    reader.read_from({});
    CHECK(reader.replicas->none());
    CHECK(reader.read() == By::primary);
    CHECK_THAT(reader.registry.text(), !Contains("db_re") && !Contains("_watch"));
}
