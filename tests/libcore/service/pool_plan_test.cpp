#include "libcore/service/pool_plan.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace {

using namespace std::chrono_literals;
using runtime::AppEnv;
using service::plan_pool;
using service::PoolNeeds;
using service::PoolPlan;
using service::PoolSize;
using service::preset_named;
using service::Sizing;

/// A pool of callers, as the API's.
PoolNeeds callers(Sizing sizing = Sizing::fixed) {
    return {.own = {20, 5}, .sizing = sizing, .cores = 8};
}

std::string size(const PoolPlan& plan) {
    CHECK(plan.max.origin == plan.min.origin);
    return std::to_string(plan.max.value) + "/" + std::to_string(plan.min.value) + " " + plan.max.origin;
}

std::string size(const char* preset, AppEnv app_env) {
    return size(plan_pool(preset_named(preset), app_env, callers()));
}

}  // namespace

TEST_CASE(
    "a pool for the processor has twice the cores and four, at most 100, of which a quarter stays open") {
    CHECK(service::size_for_cores(8) == PoolSize{20, 5});
    CHECK(service::size_for_cores(1) == PoolSize{6, 5});
    CHECK(service::size_for_cores(16) == PoolSize{36, 9});
    CHECK(service::size_for_cores(48) == PoolSize{100, 25});
    CHECK(service::size_for_cores(256) == PoolSize{100, 25});
}

TEST_CASE("a pool for a demand has what its queries keep in use, from 10 to 30, and no more than users") {
    CHECK(service::size_for_demand({}) == PoolSize{13, 4});
    CHECK(service::size_for_demand({.peak_rps = 1}) == PoolSize{10, 3});
    CHECK(service::size_for_demand({.peak_rps = 100}) == PoolSize{25, 7});
    CHECK(service::size_for_demand({.queries_per_user = 20}) == PoolSize{25, 7});
    CHECK(service::size_for_demand({.concurrent_users = 17, .peak_rps = 100}) == PoolSize{17, 5});
    CHECK(service::size_for_demand(
              {.concurrent_users = 1'000'000, .queries_per_user = 1'000'000, .peak_rps = 1'000'000}) ==
          PoolSize{30, 8});
}

TEST_CASE("every preset has its documented timeouts, also under its other name") {
    const auto [name, other, acquire, connect, idle, lifetime, statement, uses] =
        GENERATE(table<const char*, const char*, int, int, int, int, int, int>({
            {"standard", "birthday", 3, 10, 30, 3600, 30, 0},
            {"wide", "rust", 3, 3, 600, 1800, 15, 0},
            {"cpu", "bizra", 60, 10, 10, 1800, 15, 5000},
            {"serverless", "neon", 2, 2, 60, 1800, 30, 5000},
            {"lean", "discord", 3, 5, 30, 1800, 10, 0},
        }));
    CAPTURE(name);
    CHECK(&preset_named(name) == &preset_named(other));
    const PoolPlan plan = plan_pool(preset_named(name), AppEnv::staging, callers());
    CHECK(plan.acquire.value == std::chrono::seconds(acquire));
    CHECK(plan.connect.value == std::chrono::seconds(connect));
    CHECK(plan.idle.value == std::chrono::seconds(idle));
    CHECK(plan.lifetime.value == std::chrono::seconds(lifetime));
    CHECK(plan.statement.value == std::chrono::seconds(statement));
    CHECK(plan.uses.value == uses);
    for (const auto& origin : {plan.acquire.origin, plan.connect.origin, plan.idle.origin,
                               plan.lifetime.origin, plan.statement.origin, plan.uses.origin})
        CHECK(origin == std::string("preset ") + name);
}

TEST_CASE("without a preset a service has its own numbers, but for what the profile says") {
    const PoolPlan production = plan_pool(preset_named("none"), AppEnv::production, callers());
    CHECK(size(production) == "20/5 default");
    CHECK(production.connect.value == 2s);
    CHECK(production.connect.origin == "profile production");
    CHECK(production.acquire.value == 3s);
    CHECK(production.idle.value == 30s);
    CHECK(production.lifetime.value == 30min);
    CHECK(production.statement.value == 15s);
    CHECK(production.uses.value == 0);
    CHECK(production.statement.origin == "default");
    CHECK(size("none", AppEnv::staging) == "15/5 profile staging");
    CHECK(size("none", AppEnv::development) == "5/1 profile development");
    CHECK(plan_pool(preset_named("none"), AppEnv::development, callers()).connect.value == 10s);
}

TEST_CASE("profiles act inside the preset standard, and every other preset is stronger than a profile") {
    CHECK(size("standard", AppEnv::production) == "40/10 preset standard, production");
    CHECK(size("standard", AppEnv::staging) == "15/5 preset standard, staging");
    CHECK(size("standard", AppEnv::development) == "5/1 preset standard, development");
    CHECK(plan_pool(preset_named("standard"), AppEnv::production, callers()).connect.value == 2s);
    for (const auto app_env : {AppEnv::production, AppEnv::staging, AppEnv::development}) {
        CHECK(size("wide", app_env) == "50/5 preset wide");
        CHECK(size("lean", app_env) == "15/5 preset lean");
        CHECK(plan_pool(preset_named("wide"), app_env, callers()).connect.value == 3s);
    }
}

TEST_CASE("a sizing policy is stronger than the size of preset and profile") {
    const auto sized = [](const char* preset, AppEnv app_env, Sizing sizing) {
        return size(plan_pool(preset_named(preset), app_env, callers(sizing)));
    };
    CHECK(sized("wide", AppEnv::production, Sizing::cpu) == "20/5 sizing cpu, 8 cores");
    CHECK(sized("none", AppEnv::development, Sizing::demand) == "13/4 sizing demand");
    CHECK(sized("cpu", AppEnv::production, Sizing::fixed) == "20/5 default");
    CHECK(service::usual_sizing(preset_named("serverless")).value == "demand");
    CHECK(service::usual_sizing(preset_named("cpu")).origin == "preset cpu");
    CHECK(service::usual_sizing(preset_named("none")).value == "fixed");
}

TEST_CASE("a pool whose users are counted keeps its size, with the timeouts of any preset and profile") {
    for (const auto name : service::preset_names()) {
        CAPTURE(name);
        for (const auto app_env : {AppEnv::production, AppEnv::staging, AppEnv::development}) {
            const PoolPlan plan = plan_pool(preset_named(name), app_env, {.own = {4, 1}});
            CHECK(size(plan) == "4/1 default");
            CHECK(plan.statement.value == preset_named(name).statement);
        }
    }
}

TEST_CASE("the names of presets and policies are read again as what they name") {
    const auto names = service::preset_names();
    CHECK(names.front() == "none");
    CHECK(std::set(names.begin(), names.end()).size() == 11);
    CHECK(service::sizing_named("demand") == Sizing::demand);
    CHECK(service::sizing_names().size() == 3);
}

TEST_CASE("the budget is 40 for each API, 10 for each worker and 60, and more where a pool is larger") {
    CHECK(service::connection_budget(1, 1, {}) == 110);
    CHECK(service::connection_budget(3, 20, {}) == 380);
    CHECK(service::connection_budget(3, 20, {.api = 20}) == 380);
    CHECK(service::connection_budget(3, 20, {.api = 64}) == 452);
    CHECK(service::connection_budget(3, 20, {.worker = 12}) == 420);
}
