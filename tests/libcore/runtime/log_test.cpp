#include "libcore/runtime/log.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/libcore/runtime/json_checker.hpp"

using namespace std::chrono_literals;
using namespace runtime;
using Catch::Matchers::Contains;

namespace {

constexpr std::chrono::sys_time<std::chrono::microseconds> at{1'803'805'200'000'042us};
const log::Options options{.service = "worker-svc", .instance = "host:7"};

/// What is written to the process's stdout until read().
class CapturedStdout {
public:
    CapturedStdout() : saved_(::dup(STDOUT_FILENO)), file_(::memfd_create("stdout", 0)) {
        ::dup2(file_, STDOUT_FILENO);
    }
    CapturedStdout(const CapturedStdout&) = delete;
    CapturedStdout& operator=(const CapturedStdout&) = delete;
    ~CapturedStdout() {
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
        ::close(file_);
    }
    std::vector<std::string> lines() const {
        std::string content(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
        const auto size = ::pread(file_, content.data(), content.size(), 0);
        std::istringstream stream(content.substr(0, static_cast<std::size_t>(size)));
        std::vector<std::string> lines;
        for (std::string line; std::getline(stream, line);) lines.push_back(line);
        return lines;
    }

private:
    int saved_;
    int file_;
};

}  // namespace

TEST_CASE("a log line has OpenTelemetry's fields") {
    CHECK(log::format_line(at, log::Level::info, options, "dispatched a batch",
                           {{"messages", 250}, {"queue", "tidings"}, {"ratio", 0.5}, {"last", true}}) ==
          R"({"timestamp":"2027-02-28T09:00:00.000042Z","severity_text":"INFO","severity_number":9,)"
          R"("resource":{"service.name":"worker-svc","service.instance.id":"host:7"},)"
          R"("body":"dispatched a batch",)"
          R"("attributes":{"messages":250,"queue":"tidings","ratio":0.5,"last":true}})"
          "\n");
}

TEST_CASE("a trace id stands beside the attributes, where OpenTelemetry looks for it") {
    CHECK(log::format_line(at, log::Level::error, options, "late",
                           {{"message_id", "m"}, {"trace_id", "4bf92f35"}, {"n", 1}}) ==
          R"({"timestamp":"2027-02-28T09:00:00.000042Z","severity_text":"ERROR","severity_number":17,)"
          R"("resource":{"service.name":"worker-svc","service.instance.id":"host:7"},)"
          R"("trace_id":"4bf92f35","body":"late","attributes":{"message_id":"m","n":1}})"
          "\n");
}

TEST_CASE("a line that concerns no trace has no trace id") {
    const auto line =
        log::format_line(at, log::Level::warn, options, "slow request", {{"trace_id", ""}, {"n", 1}});
    CHECK(line.find("trace_id") == std::string::npos);
}

TEST_CASE("hostile texts stay inside their JSON strings") {
    using namespace std::string_literals;
    for (const auto& hostile :
         {"quote \" backslash \\ newline \n return \r tab \t"s, "nul \0 bell \a escape \x1b[31m delete \x7f"s,
          "\"},\"severity_text\":\"FATAL\""s, "\xff\xfe"s, "overlong \xc0\xaf\xe0\x80\xaf"s,
          "surrogate \xed\xa0\x80"s, "beyond unicode \xf4\x90\x80\x80"s, "cut off \xe2\x82"s,
          "cut off \xf0\x9f\x8e"s, "whole \xe2\x82\xac \xf0\x9f\x8e\x82"s}) {
        const auto line =
            log::format_line(at, log::Level::error, {hostile, hostile}, hostile, {{hostile, hostile}});
        CAPTURE(line);
        CHECK(line.find('\n') == line.size() - 1);
        CHECK(test::is_strict_json(line));
    }
}

TEST_CASE("a valid text is kept and an invalid byte becomes the replacement character") {
    CHECK_THAT(log::format_line(at, log::Level::info, options, "caf\xc3\xa9 \xf0\x9f\x8e\x82", {}),
               Contains("\"caf\xc3\xa9 \xf0\x9f\x8e\x82\""));
    CHECK_THAT(log::format_line(at, log::Level::info, options,
                                "a\xff"
                                "b",
                                {}),
               Contains(R"("a\ufffdb")"));
}

TEST_CASE("numbers that JSON does not have are null") {
    const auto line = log::format_line(at, log::Level::info, options, "x",
                                       {{"nan", std::numeric_limits<double>::quiet_NaN()},
                                        {"infinite", std::numeric_limits<double>::infinity()},
                                        {"least", std::numeric_limits<std::int64_t>::min()}});
    CHECK(test::is_strict_json(line));
    CHECK_THAT(line, Contains(R"("nan":null,"infinite":null,"least":-9223372036854775808)"));
}

TEST_CASE("a session writes whole lines of many threads and leaves out what is below its level",
          "[threads]") {
    const CapturedStdout captured;
    {
        const log::Session session({.service = "test", .level = log::Level::info});
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread)
            threads.emplace_back([thread] {
                for (int i = 0; i < 500; ++i) log::info("a line", {{"thread", thread}, {"i", i}});
                log::debug("not written");
            });
    }
    const auto lines = captured.lines();
    CHECK(lines.size() == 2000);
    std::size_t strict = 0;
    for (const auto& line : lines) strict += test::is_strict_json(line) ? 1 : 0;
    CHECK(strict == lines.size());
}

TEST_CASE("an error is written before the call returns", "[threads]") {
    const CapturedStdout captured;
    const log::Session session({.service = "test"});
    log::error("the disk is full");
    REQUIRE_FALSE(captured.lines().empty());
    CHECK_THAT(captured.lines().back(), Contains("the disk is full") && Contains("ERROR"));
}

TEST_CASE("the oldest lines are dropped and counted when stdout does not take them", "[threads]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int saved = ::dup(STDOUT_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    std::uint64_t dropped = 0;
    std::jthread reader;
    {
        const log::Session session({.service = "test"});
        for (int i = 0; i < 40'000; ++i) log::info("a line nobody reads");
        dropped = log::dropped_lines();
        reader = std::jthread([&] {
            char sink[65536];
            while (::read(ends[0], sink, sizeof sink) > 0) {
            }
        });
    }
    ::dup2(saved, STDOUT_FILENO);
    ::close(ends[1]);
    reader.join();
    ::close(ends[0]);
    ::close(saved);
    CHECK(dropped > 1'000);
}

TEST_CASE("a rate limit lets one line through per interval and counts the others") {
    log::RateLimit limit(10s);
    const std::chrono::steady_clock::time_point start(1h);
    CHECK(limit.pass(start) == 0);
    CHECK_FALSE(limit.pass(start + 1s));
    CHECK_FALSE(limit.pass(start + 9s));
    CHECK(limit.pass(start + 10s) == 2);
    CHECK_FALSE(limit.pass(start + 11s));
}

TEST_CASE("levels have names") {
    CHECK(log::parse_level("warn") == log::Level::warn);
    CHECK_FALSE(log::parse_level("loud"));
}
