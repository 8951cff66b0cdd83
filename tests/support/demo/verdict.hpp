// What the e-mail sink received against what people were owed. Pure: knows no database, no network, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "tests/support/oracle/occasions.hpp"

namespace demo {

/// The scaled clock: at the real moment `started_at` it shows `base`, and stood still there before.
struct Clock {
    domain::Instant base;
    domain::Instant started_at;
    double factor = 1;

    domain::Instant shows_at(domain::Instant real) const;
    /// The real time it takes to pass this much of its own.
    std::chrono::microseconds real(std::chrono::microseconds own) const;
};

/// One e-mail that went out.
struct Email {
    domain::Instant received_at;
    std::string address;
    std::string text;
};

struct Delivery {
    const oracle::Occasion* occasion;
    domain::Instant shown_at;            ///< on the scaled clock
    std::chrono::microseconds lateness;  ///< real; negative when early
};

struct Verdict {
    std::size_t expected = 0;
    std::size_t sent = 0;              ///< of these
    std::size_t sent_also = 0;         ///< rightly, of what is due after the end
    std::vector<Delivery> deliveries;  ///< the right text to the right address, in the order received
    std::size_t early = 0;
    std::size_t late = 0;
    std::size_t twice = 0;
    std::size_t lost = 0;
    std::size_t unexpected = 0;
    std::size_t wrong_text = 0;
    std::vector<std::string> complaints;  ///< a line for each of the first few of all these

    bool passed() const;
    /// Of the deliveries; `share` 0.5 is the median, 1 the maximum; zero when there are none.
    std::chrono::microseconds lateness(double share) const;
};

/// Two real seconds.
inline constexpr std::chrono::seconds tolerated_lateness{2};

/// Every occasion up to `end` is owed exactly one e-mail; a later one may or may not have been sent yet, but
/// what was sent must be right. The result points into `occasions`.
Verdict judge(const std::vector<oracle::Occasion>& occasions, const std::vector<Email>& emails,
              const Clock& clock, domain::Instant end);

}  // namespace demo
