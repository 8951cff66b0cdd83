// Whether a service can work with its database, and how well: what is measured becomes signals, and what is
// wrong with these a score with its reasons. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "libcore/postgres/lending.hpp"
#include "libcore/service/alerts.hpp"
#include "libcore/service/duration_window.hpp"
#include "libcore/service/replica_view.hpp"

namespace service {

struct PoolFacts {
    std::string name;
    /// The service cannot work without it: what is wrong with others is a warning at worst.
    bool essential = false;
    postgres::PoolState state = {};
    Percentiles connect = {};
    double exhausted = 0;  ///< in the last minute
    double lost = 0;       ///< in the last minute: connections that broke or could not be made
    double created = 0;    ///< a second, in the last ten
};

struct DatabaseFacts {
    /// Since its last good answer; nothing while all is well.
    std::optional<std::chrono::milliseconds> unanswered = {};
    std::vector<PoolFacts> pools = {};
    std::vector<ReplicaView> replicas = {};
    Percentiles statements = {};
    double statements_lately = 0;  ///< in the last minute, as the next two
    double slow = 0;
    double critical = 0;
};

/// 0 closed, 1 half open, 2 open.
int circuit_state(postgres::Circuit::State state);

std::vector<Signal> signals_of(const DatabaseFacts& facts);

struct Health {
    enum class Status { ok, degraded, down };

    struct Reason {
        Alert alert;
        int points;  ///< that it costs
        std::string text;
    };

    Status status = Status::ok;
    int score = 100;
    std::vector<Reason> reasons = {};
};

const char* to_string(Health::Status status);

/// Down, with 0, where the service cannot work; degraded below 80 or with anything critical.
Health judge(const std::vector<Alert>& alerts);

}  // namespace service
