// What became of every message of a simulated year against what must have: each difference is a fault. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/year/record.hpp"
#include "tests/support/year/world.hpp"

namespace year {

struct Verdict {
    std::size_t users = 0;
    std::size_t steps = 0;
    std::size_t messages = 0;  ///< that are SENT, as they must be
    std::map<domain::Status, std::size_t> by_status;
    std::map<std::string, std::size_t> missed;  ///< rightly, by what explains it
    std::size_t delayed = 0;  ///< rightly sent after their instant: an outage, or a change of the user
    std::size_t repeats = 0;  ///< rightly sent again: in doubt

    std::size_t early = 0;                ///< requests before their message's instant
    std::size_t lost = 0;                 ///< not delivered, or not known to be
    std::size_t twice = 0;                ///< deliveries beyond the first that nothing explains
    std::size_t misplaced = 0;            ///< not at the first moment at which all that it takes worked
    std::size_t unexpected = 0;           ///< deliveries that nobody was owed
    std::size_t wrong_text = 0;           ///< or the wrong address
    std::size_t unexplained = 0;          ///< ended otherwise than it must, or planned for another instant
    std::size_t restless = 0;             ///< steps that did not come to an end
    std::vector<std::string> complaints;  ///< of the first faults

    /// Over all messages: whose, type, date, status, when sent and with what words. What depends on real time
    /// stands in it as it must be.
    std::string digest;

    std::size_t faults() const;
};

Verdict judge(const World& world, const Record& record);

}  // namespace year
