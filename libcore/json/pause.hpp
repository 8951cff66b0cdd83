// The emergency stop as clients ask for it and see it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "libcore/domain/pause.hpp"
#include "libcore/json/value.hpp"

namespace json {

struct PauseInput {
    std::string reason;
    std::optional<domain::Instant> until;
};

/// Of `{"reason", "until"?}`.
domain::Result<PauseInput> decode_pause(const Value& body);

/// The reason in `{"reason"?}`.
domain::Result<std::optional<std::string>> decode_resume(const Value& body);

/// What waits for a dispatcher: how many messages, and for how long the first of them.
struct Waiting {
    int due = 0;
    std::chrono::seconds oldest_due{};
};

std::string encode(const std::optional<domain::Pause>& pause, const std::optional<Waiting>& waiting = {});

}  // namespace json
