// The judge of the drills must be able to say no.

#include <catch2/catch.hpp>

#include "tests/support/system/comparison.hpp"

namespace {

using namespace std::chrono_literals;
using support::Comparison;

constexpr domain::Instant nine = std::chrono::sys_days(std::chrono::year(2027) / 3 / 10) + 9h;

support::LedgerRow message(const std::string& key, domain::Status status = domain::Status::sent) {
    support::LedgerRow row;
    row.key = key;
    row.instant = nine;
    row.status = status;
    return row;
}

sink::Entry delivery(const std::string& key, std::chrono::seconds after = 1s) {
    sink::Entry entry;
    entry.received_at = nine + after;
    entry.key = key;
    entry.delivered = true;
    return entry;
}

Comparison compare(const std::vector<support::LedgerRow>& ledger, const std::vector<sink::Entry>& requests) {
    return support::compare(ledger, requests, [](auto received_at) { return received_at; });
}

}  // namespace

TEST_CASE("one delivery of each message is what is wanted") {
    CHECK(compare({message("a"), message("b")}, {delivery("b"), delivery("a")}) ==
          Comparison{.delivered = 2});
}

TEST_CASE("a message that was not delivered or is not known to be sent is lost") {
    CHECK(compare({message("a")}, {}) == Comparison{.lost = 1});
    CHECK(compare({message("a", domain::Status::retrying)}, {delivery("a")}) == Comparison{.lost = 1});
    auto refused = delivery("a");
    refused.delivered = false;
    CHECK(compare({message("a")}, {refused}) == Comparison{.lost = 1});
}

TEST_CASE("a second delivery and an unplanned and an early request are seen") {
    CHECK(compare({message("a")}, {delivery("a"), delivery("a")}) == Comparison{.delivered = 1, .twice = 1});
    CHECK(compare({message("a")}, {delivery("a"), delivery("b")}) ==
          Comparison{.delivered = 1, .unplanned = 1});
    CHECK(compare({message("a")}, {delivery("a", -1s)}) == Comparison{.delivered = 1, .early = 1});
}
