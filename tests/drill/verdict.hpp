// The checker of drills: what the provider got and what the ledger says, and whether what happened meanwhile
// explains every repeat. Pure.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "tests/support/system/comparison.hpp"

namespace drill {

/// What may have kept an answer of the provider from the ledger: the death of a worker, a connection that was
/// cut.
struct Interruption {
    std::string client;      ///< the worker it befell, as the provider knows it; empty is all of them
    domain::Instant from{};  ///< concerns requests received in this time, in real time
    domain::Instant to{};
    std::string what;
};

/// An attempt that the ledger has as one to which no answer came in its worker's time.
struct Silence {
    std::string key;
    domain::Instant from{};  ///< when the worker began it, in real time
    domain::Instant to{};    ///< when it gave up
};

struct Evidence {
    bool idempotent = true;  ///< the provider recognises keys
    std::vector<support::LedgerRow> ledger;
    std::vector<sink::Entry> requests;  ///< oldest first
    std::vector<Interruption> interruptions;
    std::vector<Silence> silences = {};
    support::Clock clock;
};

struct Verdict {
    int messages = 0;
    int lost = 0;         ///< not delivered, or not known to be sent
    int duplicated = 0;   ///< e-mails beyond the first of a message
    int early = 0;        ///< requests before their message's instant
    int unexplained = 0;  ///< requests that nobody owed, that nothing excuses, or that say something else
    int repeats = 0;      ///< requests for what the provider had, each explained
    int silences = 0;     ///< of these, by nothing but an attempt whose worker saw no answer in time
    std::vector<std::string> explanations;  ///< of the first repeats
    std::vector<std::string> complaints;    ///< about the first of what is wrong

    /// A naive provider may send a message again if that is explained.
    bool holds() const;
    bool idempotent = true;
};

/// The counts, on one line.
std::ostream& operator<<(std::ostream& out, const Verdict& verdict);

Verdict judge(const Evidence& evidence);

}  // namespace drill
