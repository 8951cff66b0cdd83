// How large a pool of database connections is, and how patient, while no variable says so: presets, profiles
// and sizing policies. Pure.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/runtime/settings.hpp"

namespace service {

struct PoolSize {
    int max;
    int min;

    friend bool operator==(const PoolSize&, const PoolSize&) = default;
};

enum class Sizing { fixed, cpu, demand };

/// What the policy `demand` sizes for.
struct Demand {
    int concurrent_users = 100;
    int queries_per_user = 10;  ///< for each request
    int peak_rps = 50;
};

/// Twice the cores and four, at most 100; a quarter of them stays open, at least five.
PoolSize size_for_cores(int cores);

/// Little's law: in use are as many connections as queries arrive while one of them is served, and no more
/// than there are users; from 10 to 30. A quarter stays open.
PoolSize size_for_demand(const Demand& demand);

/// What a profile changes.
struct Profile {
    std::optional<PoolSize> size = {};
    std::optional<std::chrono::milliseconds> connect = {};
};

/// Numbers that belong together.
struct Preset {
    std::string_view name;
    std::string_view other_name;
    Sizing sizing;
    std::optional<PoolSize> size;  ///< for `fixed`; without one, the service's own
    std::chrono::milliseconds acquire;
    std::chrono::milliseconds connect;
    std::chrono::milliseconds idle;
    std::chrono::milliseconds lifetime;
    std::chrono::milliseconds statement;
    int uses;
    std::array<Profile, 3> profiles;  ///< by runtime::AppEnv
};

/// By either name. "none" is the first: what a service has without one.
std::vector<std::string_view> preset_names();
const Preset& preset_named(std::string_view name);

std::vector<std::string_view> sizing_names();
Sizing sizing_named(std::string_view name);
/// The preset's, with who says so.
runtime::Fallback<std::string> usual_sizing(const Preset& preset);

/// Each with who says so.
struct PoolPlan {
    runtime::Fallback<int> max;
    runtime::Fallback<int> min;
    runtime::Fallback<std::chrono::milliseconds> acquire;
    runtime::Fallback<std::chrono::milliseconds> connect;
    runtime::Fallback<std::chrono::milliseconds> idle;
    runtime::Fallback<std::chrono::milliseconds> lifetime;
    runtime::Fallback<std::chrono::milliseconds> statement;
    runtime::Fallback<int> uses;
};

struct PoolNeeds {
    PoolSize own;  ///< of this service, when nobody says anything
    /// None where the users of the pool are counted, as loops are: then its size is its own.
    std::optional<Sizing> sizing = {};
    int cores = 1;
    Demand demand = {};
};

/// Default, profile, preset: the later wins.
PoolPlan plan_pool(const Preset& preset, runtime::AppEnv app_env, const PoolNeeds& needs);

/// The pool of the program that asks, if it is one of these.
struct OwnPool {
    int api = 0;
    int worker = 0;
};

/// What all programs together may have open at the server: 40 for each API, 10 for each worker, more where
/// the own pool is larger, and 60 for schedulers, migrations and people.
int connection_budget(int apis, int workers, const OwnPool& own);

}  // namespace service
