// The checker of the drills must be able to say no.

#include <catch2/catch.hpp>

#include "tests/drill/verdict.hpp"

using namespace drill;

namespace {

using namespace std::chrono_literals;

constexpr domain::Instant nine = std::chrono::sys_days(std::chrono::year(2027) / 3 / 10) + 9h;

support::LedgerRow message(int attempt = 1) {
    support::LedgerRow row;
    row.key = "a";
    row.instant = nine;
    row.status = domain::Status::sent;
    row.attempt = attempt;
    row.in_doubt = attempt > 1;
    return row;
}

sink::Entry request(const std::string& client, std::chrono::seconds after, bool repeat = false) {
    sink::Entry entry;
    entry.received_at = nine + after;
    entry.key = "a";
    entry.client = client;
    entry.status = 200;
    entry.delivered = true;
    entry.repeat = repeat;
    return entry;
}

/// Sent by one worker, which died, and then by another.
Evidence repeated() {
    return {.idempotent = false,
            .ledger = {message(2)},
            .requests = {request("one", 1s), request("two", 5s, true)},
            .interruptions = {{.client = "one", .from = nine, .to = nine + 2s, .what = "one died"}},
            .clock = [](auto received_at) { return received_at; }};
}

}  // namespace

TEST_CASE("a repeat is explained by the death of the worker that sent it before") {
    const auto verdict = judge(repeated());
    CHECK(verdict.holds());
    CHECK(verdict.duplicated == 1);
    CHECK(verdict.repeats == 1);
    CHECK(verdict.explanations.size() == 1);
}

TEST_CASE("a provider that knows keys delivers none twice") {
    auto evidence = repeated();
    evidence.idempotent = true;
    CHECK_FALSE(judge(evidence).holds());
    evidence.requests.back().delivered = false;
    const auto verdict = judge(evidence);
    CHECK(verdict.holds());
    CHECK(verdict.duplicated == 0);
    CHECK(verdict.repeats == 1);
}

TEST_CASE("the death of another worker, or at another time, explains nothing") {
    auto evidence = repeated();
    evidence.interruptions.front().client = "three";
    CHECK(judge(evidence).unexplained == 1);
    evidence = repeated();
    evidence.interruptions.front().from = nine + 2s;
    CHECK(judge(evidence).unexplained == 1);
    evidence = repeated();
    evidence.interruptions.front().to = nine;
    CHECK(judge(evidence).unexplained == 1);
    evidence = repeated();
    evidence.interruptions.clear();
    CHECK(judge(evidence).unexplained == 1);
    CHECK_FALSE(judge(evidence).holds());
}

TEST_CASE("what befell all workers explains the repeats of each") {
    auto evidence = repeated();
    evidence.interruptions.front().client.clear();
    CHECK(judge(evidence).holds());
}

TEST_CASE("a repeat after silence needs no other explanation, but a doubt on its row") {
    auto evidence = repeated();
    evidence.interruptions.clear();
    evidence.requests.front().status = 0;
    CHECK(judge(evidence).holds());
    evidence.ledger.front().in_doubt = false;
    CHECK(judge(evidence).unexplained == 1);
}

TEST_CASE("a repeat after an attempt that ended for want of an answer is explained by that attempt") {
    const Silence silence{.key = "a", .from = nine + 1s, .to = nine + 2s};
    auto evidence = repeated();
    evidence.interruptions.clear();
    evidence.silences = {silence};
    const auto verdict = judge(evidence);
    CHECK(verdict.holds());
    CHECK(verdict.repeats == 1);
    CHECK(verdict.silences == 1);

    const auto unexplained = [&](const Silence& other) {
        evidence.silences = {other};
        return judge(evidence).unexplained;
    };
    CHECK(unexplained({.key = "b", .from = silence.from, .to = silence.to}) == 1);
    CHECK(unexplained({.key = "a", .from = nine + 1'100ms, .to = nine + 3s}) == 1);
    CHECK(unexplained({.key = "a", .from = nine - 3s, .to = nine - 1s}) == 1);
    // Given up before its time: not for the provider's sake.
    CHECK(unexplained({.key = "a", .from = silence.from, .to = nine + 1'900ms}) == 1);
    evidence.silences = {silence};
    evidence.ledger.front().in_doubt = false;
    CHECK(judge(evidence).unexplained == 1);
}

TEST_CASE("an attempt without an answer explains one repeat, of its own request") {
    auto evidence = repeated();
    evidence.interruptions.clear();
    evidence.ledger.front().attempt = 3;
    evidence.silences = {{.key = "a", .from = nine + 1s, .to = nine + 2s}};
    evidence.requests.push_back(request("three", 9s, true));
    CHECK(judge(evidence).unexplained == 1);
    evidence.silences.push_back({.key = "a", .from = nine + 5s, .to = nine + 6s});
    CHECK(judge(evidence).silences == 2);
    // The silent one was another: what was answered in time was repeated all the same.
    evidence.requests.front().status = 0;
    evidence.silences.pop_back();
    CHECK(judge(evidence).unexplained == 1);
}

TEST_CASE("more requests than attempts are unexplained, whoever died") {
    auto evidence = repeated();
    evidence.ledger.front().attempt = 1;
    CHECK(judge(evidence).unexplained == 1);
}

TEST_CASE("other words under the same key are unexplained") {
    auto evidence = repeated();
    evidence.requests.back().message = "Hey";
    CHECK(judge(evidence).unexplained == 1);
    evidence = repeated();
    evidence.requests.back().email = "ada@example.com";
    CHECK(judge(evidence).unexplained == 1);
}

TEST_CASE("what is lost, early or owed to nobody is seen") {
    auto evidence = repeated();
    evidence.requests.clear();
    CHECK(judge(evidence).lost == 1);
    evidence = repeated();
    evidence.ledger.front().status = domain::Status::unknown;
    CHECK(judge(evidence).lost == 1);
    evidence = repeated();
    evidence.ledger.front().instant = nine + 2s;
    CHECK(judge(evidence).early == 1);
    evidence = repeated();
    evidence.requests.back().key = "b";
    CHECK(judge(evidence).unexplained == 1);
}
