// What is to come, by the database's own rules of planning. Only reads. Blocking; throws like Pool::run.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/result.hpp"
#include "libcore/domain/schedule.hpp"

namespace postgres {

class Pool;

/// By the clock that planning goes by.
domain::Instant planning_time(Pool& pool);

/// A place in the order of a user's coming messages.
struct SchedulePosition {
    domain::Instant scheduled_send_time;
    std::string message_type;
    domain::Date delivery_date;
};

struct UserScheduleQuery {
    domain::Uuid user_id;
    int years = 1;
    std::optional<SchedulePosition> after = {};
    int limit = 100;
};

struct UserSchedule {
    domain::Instant from{};
    domain::Instant to{};
    std::string timezone;
    std::vector<domain::ComingMessage> messages;  ///< the next first
    std::vector<domain::Hold> holds;
};

/// Nothing for unknown and deleted users.
std::optional<UserSchedule> schedule_of_user(Pool& pool, const UserScheduleQuery& query);

/// A place in the order of what becomes due.
struct DuePosition {
    domain::Instant minute;
    std::string utc_offset;
    std::string message_type;
};

struct PreviewQuery {
    domain::Instant from;
    domain::Instant to;
    std::optional<std::string> message_type = {};
    std::optional<DuePosition> after = {};
    int limit = 500;
    /// For each of the two questions, as far as the pool's deadline allows.
    std::chrono::milliseconds longest{10'000};
};

struct Preview {
    std::vector<domain::DueMinute> minutes;
    /// Of all the time, with the first page only: the whole has to be counted for them.
    std::optional<std::vector<domain::DueTotal>> totals;
    std::vector<domain::Hold> holds;
};

/// `too_slow` when it would take longer than it may, `unknown_message_type`.
domain::Result<Preview> preview(Pool& pool, const PreviewQuery& query);

}  // namespace postgres
