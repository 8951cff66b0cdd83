#include "libcore/service/statement_times.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace std::chrono_literals;
using postgres::Access;
using postgres::Observation;
using postgres::Statement;
using service::DurationWindow;
using service::percentiles;
using service::Speed;
using service::StatementTimes;

namespace {

constexpr Statement find{"find", "SELECT 1", Access::read};
constexpr Statement put{"put", "INSERT"};

Observation seen(const Statement& statement, std::chrono::nanoseconds duration,
                 std::source_location from = std::source_location::current()) {
    return {.kind = Observation::Kind::statement,
            .name = statement.name,
            .duration = duration,
            .statement = &statement,
            .parameters = "uuid, text[]",
            .from = from};
}

}  // namespace

TEST_CASE("percentiles go by the nearest rank") {
    std::vector<std::chrono::nanoseconds> durations;
    for (int i = 100; i >= 1; --i) durations.push_back(std::chrono::milliseconds(i));
    const auto of_hundred = percentiles(durations);
    CHECK(of_hundred.count == 100);
    CHECK(of_hundred.p50 == 50ms);
    CHECK(of_hundred.p95 == 95ms);
    CHECK(of_hundred.p99 == 99ms);
    CHECK(of_hundred.max == 100ms);
    CHECK(percentiles({7ms}).p99 == 7ms);
    CHECK(percentiles({1ms, 2ms}).p50 == 1ms);
    CHECK(percentiles(std::vector<std::chrono::nanoseconds>()).count == 0);
}

TEST_CASE("a window keeps the last thousand") {
    DurationWindow window;
    CHECK(percentiles(window).count == 0);
    for (int i = 0; i < 500; ++i) window.add(1h, 9);
    for (int i = 0; i < 1'000; ++i) window.add(0ns, 65'535);
    const auto entries = window.entries();
    REQUIRE(entries.size() == 1'000);
    CHECK(entries.front().tag == 65'535);
    CHECK(percentiles(window).max == 0ns);
    window.add(2h, 3);
    CHECK(percentiles(window).max == 2h);
    window.add(-5ns);
    window.add(24h * 365);
    CHECK(percentiles(window).count == 1'000);
}

TEST_CASE("a window can be filled by many while somebody reads", "[threads]") {
    DurationWindow window;
    std::vector<std::thread> threads;
    for (std::uint16_t tag = 1; tag <= 4; ++tag)
        threads.emplace_back([&window, tag] {
            for (int i = 0; i < 20'000; ++i) window.add(std::chrono::milliseconds(tag), tag);
        });
    for (int i = 0; i < 50; ++i)
        for (const auto& entry : window.entries())
            if (entry.duration != std::chrono::milliseconds(entry.tag)) FAIL("two were mixed up");
    for (auto& thread : threads) thread.join();
    CHECK(window.entries().size() == 1'000);
}

TEST_CASE("speeds have the edges that operators were promised") {
    CHECK(service::speed_of(49ms) == Speed::fast);
    CHECK(service::speed_of(50ms) == Speed::usual);
    CHECK(service::speed_of(100ms) == Speed::usual);
    CHECK(service::speed_of(100ms + 1ns) == Speed::listed);
    CHECK(service::speed_of(1s) == Speed::listed);
    CHECK(service::speed_of(1s + 1ns) == Speed::slow);
    CHECK(service::speed_of(5s + 1ns) == Speed::critical);
}

TEST_CASE(
    "statements are counted by name and kind, and the slowest are named with the types they were given") {
    runtime::Registry registry("test");
    StatementTimes times(registry);
    for (int i = 0; i < 10; ++i) times.count(seen(find, 1ms));
    const auto slow_one = seen(find, 300ms);
    times.count(slow_one);
    times.count(seen(find, 2ms));
    times.count(seen(put, 20ms));
    times.count({.kind = Observation::Kind::statement, .name = "ping", .duration = 9s});
    times.count({.kind = Observation::Kind::transaction, .name = "transaction", .duration = 20ms});

    const auto report = times.report(5);
    CHECK(report.window.count == 13);
    CHECK(report.window.max == 300ms);
    CHECK(report.speeds == std::array<std::size_t, 5>{12, 0, 1, 0, 0});
    REQUIRE(report.slowest.size() == 2);
    CHECK(report.slowest[0].statement == "find");
    CHECK(report.slowest[0].query_type == "read");
    CHECK(report.slowest[0].parameters == "uuid, text[]");
    CHECK(report.slowest[0].count == 12);
    CHECK(report.slowest[0].max == 300ms);
    CHECK(report.slowest[0].slowest_from.line() == slow_one.from.line());
    CHECK(report.slowest[1].query_type == "write");
    CHECK(times.report(1).slowest.size() == 1);
    REQUIRE(report.listed.size() == 1);
    CHECK(report.listed[0].statement == "find");
    CHECK(times.awaited_at(Speed::listed) == 1);
    CHECK(times.all() == 13);

    const auto text = registry.text();
    const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
    CHECK(has(R"(database_query_duration_seconds_count{query_type="read",statement="find"} 12)"));
    CHECK(has(R"(database_query_duration_seconds_count{query_type="ping",statement="ping"} 1)"));
    CHECK(has(R"(database_slow_queries_total{level="listed"} 1)"));
    CHECK(has("database_transaction_duration_seconds_count 1"));
    for (const char* edge : {"0.05", "0.075", "0.1", "1", "5"})
        CHECK(has((R"(query_type="write",statement="put",le=")" + std::string(edge) + "\"").c_str()));
}

TEST_CASE("scripts and COMMIT are counted and listed by name, and a long script is no alarm") {
    runtime::Registry registry("test");
    StatementTimes times(registry);
    times.count({.kind = Observation::Kind::statement, .name = "analyze", .duration = 9s});
    times.count({.kind = Observation::Kind::statement, .name = "commit", .duration = 2s});
    times.count(seen(find, 1ms));

    const auto report = times.report(5);
    CHECK(report.window.count == 3);
    REQUIRE(report.slowest.size() == 3);
    CHECK(report.slowest[0].statement == "analyze");
    CHECK(report.slowest[0].query_type == "script");
    CHECK(report.slowest[1].statement == "commit");
    CHECK(report.slowest[1].query_type == "commit");
    REQUIRE(report.listed.size() == 2);
    CHECK(report.listed[0].statement == "commit");
    CHECK(report.listed[1].statement == "analyze");
    CHECK(times.awaited_at(Speed::slow) == 1);
    CHECK(times.awaited_at(Speed::critical) == 0);

    const auto text = registry.text();
    for (const char* line :
         {R"(database_query_duration_seconds_count{query_type="script",statement="analyze"} 1)",
          R"(database_query_duration_seconds_count{query_type="commit",statement="commit"} 1)",
          R"(database_slow_queries_total{level="slow"} 1)",
          R"(database_slow_queries_total{level="critical"} 1)"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("of what takes long the last hundred are kept, the newest first") {
    runtime::Registry registry("test");
    StatementTimes times(registry);
    for (int i = 1; i <= 150; ++i) times.count(seen(find, 100ms + std::chrono::milliseconds(i)));
    const auto listed = times.report(5).listed;
    REQUIRE(listed.size() == StatementTimes::most_listed);
    CHECK(listed.front().duration == 250ms);
    CHECK(listed.back().duration == 151ms);
}

TEST_CASE("statements are known to many threads at once", "[threads]") {
    runtime::Registry registry("test");
    StatementTimes times(registry);
    static const std::vector<std::string> names = [] {
        std::vector<std::string> made;
        for (int i = 0; i < 200; ++i) made.push_back("statement_" + std::to_string(i));
        return made;
    }();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round)
                for (const auto& name : names) times.count(seen({name.c_str(), "SELECT 1"}, 1ms));
        });
    for (auto& thread : threads) thread.join();
    CHECK(times.all() == 4 * 20 * 200);
    CHECK(times.report(1'000).slowest.size() == 200);
}

TEST_CASE("a place is told without the folders of the machine that compiled it") {
    CHECK(service::to_string(std::source_location::current())
              .starts_with("tests/libcore/service/statement_times_test.cpp:"));
    CHECK(service::to_string(std::source_location{}).empty());
}
