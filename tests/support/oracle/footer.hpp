// The rule that a zone's file ends with, for the years after its last listed change: the second opinion where
// `date` stops. Reads the system's time-zone files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/oracle/civil_time.hpp"

namespace oracle {

/// "Mm.w.d/time" of a POSIX TZ string: the w-th (5: last) weekday d (0: Sunday) of a month, and when on the
/// old clock.
struct YearlyRule {
    std::chrono::month month;
    unsigned week = 0;
    unsigned weekday = 0;
    std::chrono::seconds time = std::chrono::hours(2);

    WallTime in(std::chrono::year year) const;
};

class Footer {
public:
    /// Throws std::runtime_error for a zone without a file, or with a rule of another form.
    explicit Footer(const std::string& zone);

    /// The file lists every change up to here; the rule holds from here on.
    domain::Instant valid_from() const { return valid_from_; }

    Meaning meaning_of(WallTime wall, Gap gap, Fold fold) const;
    std::chrono::seconds offset_at(domain::Instant instant) const;

    /// The two changes of a year, none for a zone without summer time.
    std::vector<Transition> transitions(std::chrono::year year) const;

private:
    void parse(const std::string& rule);

    domain::Instant valid_from_{};
    std::chrono::seconds standard_{0};
    std::chrono::seconds summer_{0};
    std::optional<std::pair<YearlyRule, YearlyRule>> summer_time_;
};

}  // namespace oracle
