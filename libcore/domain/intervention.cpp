#include "libcore/domain/intervention.hpp"

#include <algorithm>
#include <array>

namespace domain {

namespace {

bool is_of_a_type(const MessageFilter& filter) {
    return filter.message_type && filter.from && filter.to;
}

template <std::size_t size>
bool is_one_of(const std::optional<Status>& status, const std::array<Status, size>& allowed) {
    return !status || std::ranges::find(allowed, *status) != allowed.end();
}

constexpr std::array given_up = {Status::failed, Status::missed, Status::unknown};
constexpr std::array waiting = {Status::scheduled, Status::queued, Status::retrying};

}  // namespace

Errors list_faults(const MessageFilter& filter) {
    // As far as the ledger is planned ahead or a month is looked back on.
    constexpr std::chrono::days longest{31};
    Errors errors;
    if (filter.from && filter.to) {
        if (*filter.to <= *filter.from) {
            errors.push_back({"invalid", "to", "must come after from"});
        } else if (*filter.to - *filter.from > longest) {
            errors.push_back({"invalid", "to", "must not be more than 31 days after from"});
        }
    }
    if (!is_of_a_type(filter) && !is_one_of(filter.status, given_up))
        errors.push_back({"invalid", "status",
                          "must be FAILED, MISSED or UNKNOWN unless messageType, from and to are given"});
    return errors;
}

Errors replay_faults(const MessageFilter& filter, const ReplayOptions& options) {
    if (filter.status == Status::sent && !options.forced)
        return {{"invalid", "status", "must not be SENT unless force is true"}};
    if (filter.status != Status::sent && !is_one_of(filter.status, given_up))
        return {{"invalid", "status", "must be FAILED, MISSED, UNKNOWN or, with force, SENT"}};
    return list_faults(filter);
}

Errors cancel_faults(const MessageFilter& filter) {
    Errors errors;
    if (!filter.message_type) errors.push_back({"required", "messageType", "is required"});
    if (!filter.from) errors.push_back({"required", "from", "is required"});
    if (!filter.to) errors.push_back({"required", "to", "is required"});
    if (!is_one_of(filter.status, waiting))
        errors.push_back({"invalid", "status", "must be SCHEDULED, QUEUED or RETRYING"});
    return errors.empty() ? list_faults(filter) : errors;
}

}  // namespace domain
