// A month of the simulated year: planners, dispatcher, rescuer, guardian and worker on real servers while
// everything fails that can, and a judge who must find no fault, and finds each that is put before him.

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "tests/support/year/judge.hpp"
#include "tests/support/year/simulation.hpp"

using namespace std::chrono_literals;

namespace {

year::World world_of(std::uint64_t seed, int days) {
    static const auto zones = year::zones_of_the_database();
    return year::make_world({.seed = seed, .users = 50 * days, .days = days, .zones = 50}, zones);
}

std::string complaints(const year::Verdict& verdict) {
    std::string all;
    for (const auto& one : verdict.complaints) all += one + "\n";
    return all;
}

void must_be_right(const year::World& world, const year::Verdict& verdict) {
    INFO(complaints(verdict));
    CHECK(verdict.faults() == 0);
    // Enough of everything that a fault could hide behind.
    CHECK(verdict.messages > world.people.size() / 2);
    CHECK(verdict.delayed > world.people.size() / 50);
    CHECK_FALSE(verdict.missed.empty());
    CHECK(verdict.by_status.contains(domain::Status::failed));
    CHECK(verdict.by_status.contains(domain::Status::cancelled));
}

bool delivered(const sink::Entry& entry) {
    return entry.delivered;
}

bool sent(const year::Row& row) {
    return row.status == domain::Status::sent;
}

}  // namespace

TEST_CASE("a month of outages and changes sends each message once, when it must, or says why not") {
    const auto world = world_of(1, 31);
    const auto record = year::live(world);
    const auto verdict = judge(world, record);
    must_be_right(world, verdict);
    CHECK(judge(world, year::live(world)).digest == verdict.digest);

    // A judge who finds nothing must have been able to.
    const auto tampered = [&](auto tamper) {
        auto other = record;
        tamper(other);
        return judge(world, other);
    };
    const auto lost =
        tampered([](auto& r) { r.requests.erase(std::ranges::find_if(r.requests, delivered)); });
    CHECK(lost.lost == 1);
    CHECK(lost.faults() == 1);
    const auto forgotten =
        tampered([](auto& r) { std::ranges::find_if(r.rows, sent)->status = domain::Status::sending; });
    CHECK(forgotten.lost == 1);
    const auto twice =
        tampered([](auto& r) { r.requests.push_back(*std::ranges::find_if(r.requests, delivered)); });
    CHECK(twice.twice == 1);
    const auto other_words =
        tampered([](auto& r) { std::ranges::find_if(r.requests, delivered)->message += "!"; });
    CHECK(other_words.wrong_text == 1);
    const auto other_address =
        tampered([](auto& r) { std::ranges::find_if(r.requests, delivered)->email += "m"; });
    CHECK(other_address.wrong_text == 1);
    const auto stray = tampered([](auto& r) { r.requests.front().key += "x"; });
    CHECK(stray.unexpected == 1);
    const auto unplanned = tampered([](auto& r) { r.rows.erase(std::ranges::find_if(r.rows, sent)); });
    CHECK(unplanned.lost == 1);
    const auto replanned = tampered([](auto& r) { std::ranges::find_if(r.rows, sent)->instant += 1s; });
    CHECK(replanned.unexplained == 1);
    const auto swallowed = tampered([](auto& r) {
        std::ranges::find(r.rows, domain::Status::missed, &year::Row::status)->status =
            domain::Status::cancelled;
    });
    CHECK(swallowed.unexplained == 1);
    // A step sooner, a step later.
    const auto early = tampered([](auto& r) {
        for (auto& request : r.requests) request.received_at -= 20ms;
    });
    CHECK(early.early > 1);
    const auto late = tampered([](auto& r) {
        for (auto& request : r.requests) request.received_at += 1s;
    });
    CHECK(late.misplaced > 1);
}

TEST_CASE("another seed is another time, in which everything comes out as it must as well") {
    std::set<std::string> digests;
    for (const std::uint64_t seed : {2, 3}) {
        const auto world = world_of(seed, 11);
        const auto verdict = judge(world, year::live(world));
        must_be_right(world, verdict);
        digests.insert(verdict.digest);
    }
    CHECK(digests.size() == 2);
}
