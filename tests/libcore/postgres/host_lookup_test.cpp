#include <pthread.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

#include "libcore/postgres/host_lookup.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/host_names.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using postgres::Deadline;
using postgres::HostLookups;
using Clock = std::chrono::steady_clock;

TEST_CASE("those who ask for a name at the same time share a lookup, and the next one has another",
          "[threads]") {
    support::HostNames names({{"db", {"192.0.2.1", "192.0.2.2"}}, {"other", {"192.0.2.3"}}});
    names.stall("db");
    const auto first = names.lookups()->look_up("db");
    const auto second = names.lookups()->look_up("db");
    const auto other = names.lookups()->look_up("other");
    CHECK(first == second);
    const auto* const others = other->wait(Deadline::max(), {});
    REQUIRE(others);
    CHECK(others->addresses == std::vector<std::string>{"192.0.2.3"});
    CHECK(support::eventually([&] { return names.asked() == 2; }));
    CHECK_FALSE(first->wait(Clock::now(), {}));

    names.forward();
    const auto* const found = second->wait(Deadline::max(), {});
    REQUIRE(found);
    CHECK(found->addresses == std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
    CHECK(found == first->wait(Clock::now(), {}));

    const auto third = names.lookups()->look_up("db");
    CHECK(third != first);
    CHECK(third->wait(Deadline::max(), {}));
    CHECK(names.asked() == 3);
}

TEST_CASE("a lookup that hangs does not hold up those who come later, of whom two ask again", "[threads]") {
    support::HostNames names(support::HostNames::Known{{"db", {"192.0.2.1"}}});
    names.stall("db");
    std::vector<std::shared_ptr<postgres::HostLookup>> lookups;
    for (int i = 0; i < 4; ++i) {
        lookups.push_back(names.lookups()->look_up("db"));
        std::this_thread::sleep_for(1100ms);
    }
    CHECK(lookups[0] != lookups[1]);
    CHECK(lookups[1] != lookups[2]);
    CHECK(lookups[2] == lookups[3]);
    names.forward();
    for (const auto& lookup : lookups) CHECK(lookup->wait(Deadline::max(), {}));
    CHECK(names.asked() == 3);
    CHECK(names.lookups()->look_up("db")->wait(Deadline::max(), {}));
    CHECK(names.asked() == 4);
}

TEST_CASE("whoever waits for a lookup goes when his time is up, or when he is asked to", "[threads]") {
    support::HostNames names({});
    names.stall("db");
    const auto lookup = names.lookups()->look_up("db");
    const auto started = Clock::now();
    CHECK_FALSE(lookup->wait(started + 20ms, {}));
    CHECK(Clock::now() - started >= 20ms);

    std::stop_source stop;
    std::thread asks([&] {
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
    });
    CHECK_FALSE(lookup->wait(Deadline::max(), stop.get_token()));
    CHECK(Clock::now() - started < 10s);
    asks.join();
}

TEST_CASE("a lookup may end after those who wanted it", "[threads]") {
    support::HostNames names(support::HostNames::Known{{"db", {"192.0.2.1"}}});
    std::weak_ptr<postgres::HostLookup> left;
    {
        HostLookups lookups([service = names.lookups()](const std::string& name) {
            return *service->look_up(name)->wait(Deadline::max(), {});
        });
        names.stall("db");
        left = lookups.look_up("db");
    }
    CHECK_FALSE(left.expired());
    names.forward();
    CHECK(support::eventually([&] { return left.expired(); }));
}

TEST_CASE("what a lookup throws is why there are no addresses", "[threads]") {
    HostLookups lookups(
        [](const std::string&) -> postgres::HostAddresses { throw std::runtime_error("no memory"); });
    const auto lookup = lookups.look_up("db");
    const auto* const found = lookup->wait(Deadline::max(), {});
    REQUIRE(found);
    CHECK(found->addresses.empty());
    CHECK(found->problem == "no memory");
}

TEST_CASE("without a thread for it a lookup is refused, and the next one has a chance", "[threads]") {
    const support::HostNames names(support::HostNames::Known{{"db", {"192.0.2.1"}}});
    pthread_attr_t usual, too_large;
    REQUIRE(pthread_getattr_default_np(&usual) == 0);
    REQUIRE(pthread_attr_init(&too_large) == 0);
    REQUIRE(pthread_attr_setstacksize(&too_large, std::size_t{1} << 46) == 0);
    REQUIRE(pthread_setattr_default_np(&too_large) == 0);
    try {
        const auto error = postgres::error_of([&] { names.lookups()->look_up("db"); });
        CHECK(error.connection_lost());
        CHECK_THAT(error.what(), Contains("\"db\""));
    } catch (const std::runtime_error& error) {
        FAIL_CHECK(error.what());
    }
    REQUIRE(pthread_setattr_default_np(&usual) == 0);
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&too_large);
    CHECK(names.lookups()->look_up("db")->wait(Deadline::max(), {}));
}

TEST_CASE("the system knows this machine, and says of a name that it is none", "[threads]") {
    auto& lookups = HostLookups::of_process();
    const auto known = lookups.look_up("localhost");
    const auto* const here = known->wait(Deadline::max(), {});
    REQUIRE(here);
    CHECK(std::ranges::count(here->addresses, "127.0.0.1") == 1);
    CHECK(here->problem.empty());

    // No label is so long, so that no name server is asked.
    const auto unknown = lookups.look_up(std::string(64, 'x'));
    const auto* const nobody = unknown->wait(Deadline::max(), {});
    REQUIRE(nobody);
    CHECK(nobody->addresses.empty());
    CHECK_FALSE(nobody->problem.empty());
}
