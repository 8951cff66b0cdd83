// What a client says about a replay or a cancel, and what it is told. Pure.
#pragma once

#include <string>

#include "libcore/domain/intervention.hpp"
#include "libcore/domain/result.hpp"
#include "libcore/json/value.hpp"

namespace json {

enum class InterventionKind { replay_one, cancel_one, replay_many, cancel_many };

struct InterventionInput {
    std::string reason;
    domain::MessageFilter filter = {};
    domain::ReplayOptions options = {};
    int per_minute = 600;                    ///< so many fall due a minute
    std::optional<domain::Uuid> token = {};  ///< do what was shown; then there is nothing else but `count`
    int count = 0;
};

/// Of a request's body; every wrong field is named.
domain::Result<InterventionInput> decode_intervention(const Value& body, InterventionKind kind);

std::string encode(const domain::Shown& shown);
std::string encode(const domain::Uuid& token, const domain::Progress& progress);

}  // namespace json
