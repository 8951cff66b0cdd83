#include "libcore/service/pool_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <string>

namespace service {

using namespace std::chrono_literals;
using runtime::AppEnv;

namespace {

constexpr Profile in_production{.connect = 2s};
constexpr Profile in_staging{.size = PoolSize{15, 5}};
constexpr Profile in_development{.size = PoolSize{5, 1}};

// clang-format off
constexpr std::array presets{
    //     name          other name  sizing          size             acquire connect idle lifetime statement uses
    Preset{"none",       "",         Sizing::fixed,  {},              3s,     10s,    30s, 30min,    15s,      0,
           {{in_production, in_staging, in_development}}},
    Preset{"standard",   "birthday", Sizing::fixed,  PoolSize{20, 5}, 3s,     10s,    30s, 1h,       30s,      0,
           {{{.size = PoolSize{40, 10}, .connect = 2s}, in_staging, in_development}}},
    Preset{"wide",       "rust",     Sizing::fixed,  PoolSize{50, 5}, 3s,     3s,     10min, 30min,  15s,      0, {}},
    Preset{"cpu",        "bizra",    Sizing::cpu,    {},              60s,    10s,    10s, 30min,    15s,      5'000, {}},
    Preset{"serverless", "neon",     Sizing::demand, {},              2s,     2s,     60s, 30min,    30s,      5'000, {}},
    Preset{"lean",       "discord",  Sizing::fixed,  PoolSize{15, 5}, 3s,     5s,     30s, 30min,    10s,      0, {}},
};
// clang-format on

constexpr std::array<std::string_view, 3> sizings{"fixed", "cpu", "demand"};
constexpr std::array<std::string_view, 3> profiles{"production", "staging", "development"};

// For how long a query keeps its connection, with room for bursts: what the defaults of `demand` are made
// for.
constexpr auto service_time = 25ms;

int quarter(int size) {
    return (size + 3) / 4;
}

const Profile& profile_of(const Preset& preset, AppEnv app_env) {
    return preset.profiles[static_cast<std::size_t>(app_env)];
}

/// Who says what stands in the preset itself, and who says what one of its profiles changes.
std::string origin_of(const Preset& preset) {
    return &preset == &presets.front() ? "default" : fmt::format("preset {}", preset.name);
}
std::string origin_of(const Preset& preset, AppEnv app_env) {
    const auto profile = profiles[static_cast<std::size_t>(app_env)];
    return &preset == &presets.front() ? fmt::format("profile {}", profile)
                                       : fmt::format("preset {}, {}", preset.name, profile);
}

runtime::Fallback<PoolSize> size_for(const Preset& preset, AppEnv app_env, const PoolNeeds& needs) {
    if (!needs.sizing) return needs.own;
    if (needs.sizing == Sizing::cpu) {
        return {size_for_cores(needs.cores), fmt::format("sizing cpu, {} cores", needs.cores)};
    }
    if (needs.sizing == Sizing::demand) return {size_for_demand(needs.demand), "sizing demand"};
    if (const auto& size = profile_of(preset, app_env).size) return {*size, origin_of(preset, app_env)};
    if (preset.size) return {*preset.size, origin_of(preset)};
    return needs.own;
}

}  // namespace

PoolSize size_for_cores(int cores) {
    const int max = std::min(2 * cores + 4, 100);
    return {max, std::max(quarter(max), 5)};
}

PoolSize size_for_demand(const Demand& demand) {
    const auto queries_a_second = std::int64_t{demand.peak_rps} * demand.queries_per_user;
    const auto in_use = (queries_a_second * service_time + 999ms) / 1s;
    const auto max =
        std::clamp<std::int64_t>(std::min<std::int64_t>(in_use, demand.concurrent_users), 10, 30);
    return {static_cast<int>(max), quarter(static_cast<int>(max))};
}

std::vector<std::string_view> preset_names() {
    std::vector<std::string_view> names;
    for (const auto& preset : presets) {
        names.push_back(preset.name);
        if (!preset.other_name.empty()) names.push_back(preset.other_name);
    }
    return names;
}

const Preset& preset_named(std::string_view name) {
    const auto found = std::ranges::find_if(
        presets, [&](const Preset& preset) { return name == preset.name || name == preset.other_name; });
    assert(found != presets.end());
    return *found;
}

std::vector<std::string_view> sizing_names() {
    return {sizings.begin(), sizings.end()};
}

Sizing sizing_named(std::string_view name) {
    const auto found = std::ranges::find(sizings, name);
    assert(found != sizings.end());
    return static_cast<Sizing>(found - sizings.begin());
}

runtime::Fallback<std::string> usual_sizing(const Preset& preset) {
    return {std::string(sizings[static_cast<std::size_t>(preset.sizing)]), origin_of(preset)};
}

PoolPlan plan_pool(const Preset& preset, AppEnv app_env, const PoolNeeds& needs) {
    const auto size = size_for(preset, app_env, needs);
    const auto origin = origin_of(preset);
    const auto& faster_connect = profile_of(preset, app_env).connect;
    return {.max = {size.value.max, size.origin},
            .min = {size.value.min, size.origin},
            .acquire = {preset.acquire, origin},
            .connect = {faster_connect.value_or(preset.connect),
                        faster_connect ? origin_of(preset, app_env) : origin},
            .idle = {preset.idle, origin},
            .lifetime = {preset.lifetime, origin},
            .statement = {preset.statement, origin},
            .uses = {preset.uses, origin}};
}

int connection_budget(int apis, int workers, const OwnPool& own) {
    return apis * std::max(40, own.api) + workers * std::max(10, own.worker) + 60;
}

}  // namespace service
