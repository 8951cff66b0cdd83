// What was let happen in a simulated year, and what came of it: all that the judge knows of the system.
#pragma once

#include <string>
#include <vector>

#include "libcore/domain/message.hpp"
#include "tests/support/sink/ledger.hpp"

namespace year {

using domain::Instant;

enum class Provider { well, away, doubtful };

/// One stand of the ledger's clock, at which everything that could work did so until nothing was left to do.
struct Step {
    Instant at{};     ///< the ledger's
    Instant began{};  ///< real time
    bool planned = false;
    bool dispatching = true;
    bool working = true;
    bool paused = false;
    Provider provider = Provider::well;
    bool killed = false;  ///< a worker died in it
};

/// A row of message_logs.
struct Row {
    domain::Uuid user;
    std::string type;
    domain::Date date;
    std::string key;
    domain::Status status{};
    Instant instant{};
    std::optional<Instant> sent_at;
    std::string email;
    std::string content;
    bool in_doubt = false;
    std::string error;
};

struct Record {
    std::vector<Step> steps;
    std::vector<Row> rows;
    std::vector<sink::Entry> requests;
    int restless_steps = 0;  ///< that did not come to an end
    double planning_seconds = 0;
    double working_seconds = 0;
};

}  // namespace year
