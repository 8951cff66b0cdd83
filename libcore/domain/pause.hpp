// The emergency stop as a value, and what an operator may say about it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/result.hpp"
#include "libcore/domain/time.hpp"

namespace domain {

struct Pause {
    std::string reason;
    std::string by;
    Instant since{};
    std::optional<Instant> until;  ///< nothing: until somebody resumes
};

/// Why deliveries stop or go on: one line of 1 to 500 bytes. The error names the field `reason`.
Result<std::string> pause_reason(std::string_view text);

/// When they go on by themselves; whether that lies in the future is the ledger's to say. The error names the
/// field `until`.
Result<Instant> pause_end(std::string_view text);

}  // namespace domain
