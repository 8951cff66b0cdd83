#include "tests/support/system/comparison.hpp"

#include <map>
#include <ostream>

namespace support {

std::ostream& operator<<(std::ostream& out, const Comparison& comparison) {
    return out << comparison.delivered << " delivered, " << comparison.lost << " lost, " << comparison.twice
               << " twice, " << comparison.early << " early, " << comparison.unplanned << " unplanned";
}

Comparison compare(const std::vector<LedgerRow>& ledger, const std::vector<sink::Entry>& requests,
                   const Clock& clock) {
    struct Seen {
        const LedgerRow* row;
        int deliveries = 0;
    };
    std::map<std::string, Seen> messages;
    for (const LedgerRow& row : ledger) messages.emplace(row.key, Seen{&row});

    Comparison comparison;
    for (const sink::Entry& request : requests) {
        const auto found = messages.find(request.key);
        if (found == messages.end()) {
            ++comparison.unplanned;
            continue;
        }
        if (clock(request.received_at) < found->second.row->instant) ++comparison.early;
        if (request.delivered) ++found->second.deliveries;
    }
    for (const auto& [key, seen] : messages) {
        const bool known = seen.row->status == domain::Status::sent;
        ++(known && seen.deliveries > 0 ? comparison.delivered : comparison.lost);
        if (seen.deliveries > 1) comparison.twice += seen.deliveries - 1;
    }
    return comparison;
}

}  // namespace support
