#include "tests/support/demo/verdict.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using std::chrono::sys_days;

namespace {

const domain::Instant base = sys_days(2027y / 2 / 27) + 9h;
const domain::Instant started_at = sys_days(2026y / 11 / 21);
const domain::Instant end = base + 50h;
const demo::Clock clock_of_demo{base, started_at, 1500};

oracle::Occasion occasion(const std::string& email, std::chrono::hours after_base) {
    return {email, "Hey, " + email, "UTC", 2027y / 2 / 28, base + after_base};
}

/// The real moment at which the scaled clock shows this much after its base.
domain::Instant real(std::chrono::microseconds after_base) {
    return started_at + after_base / 1500;
}

const std::vector<oracle::Occasion> two{occasion("ana", 10h), occasion("ben", 20h)};
const demo::Email ana{real(10h) + 40ms, "ana", "Hey, ana"};
const demo::Email ben{real(20h) + 80ms, "ben", "Hey, ben"};

}  // namespace

TEST_CASE("everybody hearing once on time passes") {
    const auto verdict = demo::judge(two, {ana, ben}, clock_of_demo, end);
    CHECK(verdict.passed());
    CHECK(verdict.expected == 2);
    CHECK(verdict.deliveries.size() == 2);
    CHECK(verdict.complaints.empty());
    CHECK(verdict.lateness(0.5) == 40ms);
    CHECK(verdict.lateness(1) == 80ms);
}

TEST_CASE("a message before its moment is early by however little") {
    const auto verdict = demo::judge(two, {{real(10h) - 1us, "ana", "Hey, ana"}, ben}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.early == 1);
    CHECK(verdict.lateness(0.01) == -1us);
}

TEST_CASE("a message more than two real seconds after its moment is late") {
    CHECK(demo::judge(two, {{real(10h) + 2s, "ana", "Hey, ana"}, ben}, clock_of_demo, end).passed());
    const auto verdict =
        demo::judge(two, {{real(10h) + 2s + 1us, "ana", "Hey, ana"}, ben}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.late == 1);
}

TEST_CASE("a second copy is twice") {
    const auto verdict = demo::judge(two, {ana, ana, ben}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.twice == 1);
    CHECK(verdict.deliveries.size() == 2);
}

TEST_CASE("a message that never came is lost") {
    const auto verdict = demo::judge(two, {ana}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.lost == 1);
    CHECK(verdict.complaints == std::vector<std::string>{"lost: ben, 2027-02-28T05:00:00Z, Hey, ben"});
}

TEST_CASE("another text to somebody who waits for one is a wrong text and nothing is lost") {
    const auto verdict =
        demo::judge(two, {ana, {ben.received_at, "ben", "Hey, {full_name}"}}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.wrong_text == 1);
    CHECK(verdict.lost == 0);
    CHECK(verdict.unexpected == 0);
}

TEST_CASE("a message to somebody who is owed none is unexpected") {
    const auto verdict = demo::judge(two, {ana, ben, {real(20h), "eve", "Hey, eve"}}, clock_of_demo, end);
    CHECK_FALSE(verdict.passed());
    CHECK(verdict.unexpected == 1);
}

TEST_CASE("two messages to one person on one day are told apart by their texts") {
    const std::vector<oracle::Occasion> both{occasion("ana", 10h),
                                             {"ana", "years with us", "UTC", 2027y / 2 / 28, base + 10h}};
    CHECK(demo::judge(both, {{real(10h), "ana", "years with us"}, ana}, clock_of_demo, end).passed());
    CHECK(demo::judge(both, {ana, ana}, clock_of_demo, end).lost == 1);
}

TEST_CASE("what is due after the end need not have come but must not come early") {
    const std::vector<oracle::Occasion> three{two[0], two[1], occasion("cid", 51h)};
    CHECK(demo::judge(three, {ana, ben}, clock_of_demo, end).passed());
    const auto verdict = demo::judge(three, {ana, ben, {real(51h), "cid", "Hey, cid"}}, clock_of_demo, end);
    CHECK(verdict.passed());
    CHECK(verdict.sent == 2);
    CHECK(verdict.sent_also == 1);
    CHECK(demo::judge(three, {ana, ben, {real(50h), "cid", "Hey, cid"}}, clock_of_demo, end).early == 1);
}

TEST_CASE("the clock stands still before it is started so what is due at its base may go out then") {
    CHECK(clock_of_demo.shows_at(started_at - 1h) == base);
    const std::vector<oracle::Occasion> at_base{occasion("ana", 0h)};
    CHECK(demo::judge(at_base, {{started_at - 30s, "ana", "Hey, ana"}}, clock_of_demo, end).passed());
}

TEST_CASE("nothing expected is not a success") {
    CHECK_FALSE(demo::judge({}, {}, clock_of_demo, end).passed());
}
