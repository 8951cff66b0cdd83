// What an operator may command of the pools on the operations port, out of a request's body. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/result.hpp"

namespace service {

struct PoolCommand {
    enum class Kind { pause, resume, reconnect, resize };

    std::string pool = {};                  ///< empty: all; of `resize`, the first
    std::chrono::milliseconds length = {};  ///< of a pause
    std::optional<int> max = {}, min = {};  ///< of `resize`, at least one
};

/// `{"for": "30s"}`, `{}`, `{"max": 30, "min": 5}`, each also with `"pool": "housekeeping"`. An empty body is
/// as good as `{}`.
domain::Result<PoolCommand> decode_pool_command(PoolCommand::Kind kind, std::string_view body);

}  // namespace service
