#include "services/worker/settings.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

runtime::Variables with(runtime::Variables more) {
    more.merge(runtime::Variables{{"DATABASE_URL", "postgresql://localhost/tidings"},
                                  {"AMQP_URL", "amqp://localhost"},
                                  {"PROVIDER_URL", "https://provider.example"}});
    return more;
}

worker::Settings read(const runtime::Variables& variables) {
    runtime::Environment environment(with(variables));
    const auto settings = worker::read_settings(environment);
    for (const auto& error : environment.errors()) FAIL(error);
    return settings;
}

std::string errors_of(const runtime::Variables& variables) {
    runtime::Environment environment(with(variables));
    worker::read_settings(environment);
    std::string all;
    for (const auto& error : environment.errors()) all += error + "\n";
    return all;
}

}  // namespace

TEST_CASE("without a rate a worker has none, and with one it shares it where Redis is") {
    CHECK_FALSE(read({}).rate.limit);
    const auto settings = read({{"PROVIDER_RATE_LIMIT", "100/s"},
                                {"REDIS_URL", "redis://:secret@cache:6380/1"},
                                {"QUEUE_PREFIX", "mail"}});
    REQUIRE(settings.rate.limit);
    CHECK(settings.rate.limit->interval() == 10ms);
    REQUIRE(settings.rate.redis);
    CHECK(settings.rate.redis->password == "secret");
    CHECK(settings.rate.key == "mail:provider_slots");
}

TEST_CASE("a rate or a Redis that is none is refused without repeating a password") {
    CHECK_THAT(errors_of({{"PROVIDER_RATE_LIMIT", "100/m"}}), Contains("PROVIDER_RATE_LIMIT must be"));
    const auto errors = errors_of({{"REDIS_URL", "rediss://:secret@cache"}});
    CHECK_THAT(errors, Contains("REDIS_URL is not of the form") && !Contains("secret"));
    CHECK_THAT(errors_of({{"ADMIN_TOKEN", "short"}}), Contains("ADMIN_TOKEN is too easy to guess"));
}

TEST_CASE(
    "a worker takes as many hints as keep its lanes busy, and no more than the rate lets it send in a "
    "lease") {
    CHECK(read({{"QUEUE_CONCURRENCY", "1"}}).prefetch() == 100);
    CHECK(read({{"QUEUE_CONCURRENCY", "20"}}).prefetch() == 1'000);
    CHECK(read({{"QUEUE_CONCURRENCY", "256"}}).prefetch() == 2'000);
    CHECK(read({{"QUEUE_CONCURRENCY", "20"}, {"PROVIDER_RATE_LIMIT", "1000/s"}}).prefetch() == 1'000);
    CHECK(read({{"QUEUE_CONCURRENCY", "20"}, {"PROVIDER_RATE_LIMIT", "2/s"}, {"DELIVERY_LEASE", "30s"}})
              .prefetch() == 60);
    CHECK(read({{"PROVIDER_RATE_LIMIT", "1/s"}, {"PROVIDER_TIMEOUT", "100ms"}, {"DELIVERY_LEASE", "500ms"}})
              .prefetch() == 1);
}
