#include "libcore/domain/message.hpp"

#include <algorithm>

namespace domain {

namespace {

constexpr std::array<std::string_view, 9> names = {"SCHEDULED", "QUEUED",    "SENDING", "RETRYING", "SENT",
                                                   "FAILED",    "CANCELLED", "MISSED",  "UNKNOWN"};

}  // namespace

std::string_view to_string(Status status) {
    return names[static_cast<std::size_t>(status)];
}

std::optional<Status> parse_status(std::string_view text) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) return std::nullopt;
    return static_cast<Status>(found - names.begin());
}

std::string idempotency_key(const Uuid& user_id, std::string_view message_type, const Date& delivery_date) {
    return to_string(user_id) + ":" + std::string(message_type) + ":" + to_string(delivery_date);
}

}  // namespace domain
