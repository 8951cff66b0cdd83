// The settings of worker-svc, read once at start.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "libcore/domain/allowlist.hpp"
#include "libcore/domain/outcome.hpp"
#include "libcore/domain/rate_limit.hpp"
#include "libcore/http/url.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/rabbitmq/settings.hpp"
#include "libcore/redis/url.hpp"
#include "libcore/runtime/log.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "libcore/runtime/settings.hpp"

namespace worker {

/// What the ledger says of a message to somebody else.
inline constexpr const char* not_in_allowlist = "suppressed: the recipient is not in RECIPIENT_ALLOWLIST";

struct ProviderSettings {
    http::Url url;
    std::string token;    ///< empty: no Authorization header
    std::string ca_file;  ///< empty: the system's roots
    std::chrono::milliseconds timeout{10'000};
    std::chrono::milliseconds key_life =
        std::chrono::hours(24);  ///< for how long it knows an idempotency key
};

struct RateSettings {
    std::optional<domain::RateLimit> limit;  ///< of requests by all workers together
    std::optional<redis::Url> redis;         ///< where they share it
    std::string key;                         ///< under which
};

struct Settings {
    runtime::AppEnv app_env = runtime::AppEnv::production;
    runtime::log::Options log;
    postgres::PoolSettings database;
    int connection_budget = 0;
    rabbitmq::Settings broker;
    ProviderSettings provider;
    RateSettings rate;
    domain::Allowlist recipients;  ///< to whom messages may go
    domain::InDoubt in_doubt = domain::InDoubt::resend;
    int lanes = 5;
    std::chrono::milliseconds lease{};
    std::chrono::milliseconds longest_hold{30'000};  ///< of hints, while the circuit is open
    runtime::OpsServer::Settings ops;
    std::chrono::milliseconds shutdown_grace{};
    std::chrono::milliseconds stuck_after{};

    /// Hints in hand at once: enough to keep the lanes busy, few enough to leave work to other workers, and
    /// to be done with them, at the rate, long before the broker takes them for lost (30 min).
    std::uint16_t prefetch() const;
};

/// What is wrong is recorded in the environment.
Settings read_settings(runtime::Environment& environment);

}  // namespace worker
