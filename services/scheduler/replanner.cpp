#include "services/scheduler/replanner.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "libcore/postgres/error.hpp"
#include "libcore/runtime/log.hpp"

namespace scheduler {

using namespace std::chrono_literals;

namespace {

// Finding them costs a look at all that waits, so many are found at once.
constexpr int users_found = 50'000;
// A transaction short enough that a client who changes one of these users does not notice.
constexpr std::size_t users_replanned = 200;
constexpr auto pause = 1s;
constexpr auto longest_round = 10s;

}  // namespace

Replanner::Replanner(postgres::Pool& pool, runtime::Registry& registry, std::stop_token stop)
    : pool_(pool),
      stop_(std::move(stop)),
      users_(registry.counter("users_replanned_total", "Users replanned because a message type has changed")),
      types_(registry.gauge("message_types_changed",
                            "Message types whose edit or deletion has not reached all messages yet")) {}

std::chrono::milliseconds Replanner::run_once() {
    const auto started = std::chrono::steady_clock::now();
    const auto keep_going = [&] {
        return !stop_.stop_requested() && std::chrono::steady_clock::now() - started < longest_round;
    };
    const auto types = postgres::changed_types(pool_);
    types_.Set(static_cast<double>(types.size()));
    for (const postgres::ChangedType& type : types) {
        const bool replanned = replan(type, keep_going);
        if (!keep_going()) return 0ms;
        if (!replanned) continue;
        if (type.deleted) {
            while (!postgres::remove_type(pool_, type.name)) {
                if (!keep_going()) return 0ms;
            }
        } else {
            postgres::note_replanned(pool_, type);
        }
        runtime::log::info(
            type.deleted ? "removed a message type" : "brought a message type's messages in line",
            {{"message_type", type.name}, {"version", type.version}});
    }
    return pause;
}

template <class KeepGoing>
bool Replanner::replan(const postgres::ChangedType& type, const KeepGoing& keep_going) {
    for (std::vector<domain::Uuid> before;;) {
        const auto users = postgres::outdated_users(pool_, type, users_found);
        if (users.empty()) return true;
        if (users == before) {
            // Dispatch and claim do not send them either.
            runtime::log::error("messages cannot be brought in line with their type",
                                {{"message_type", type.name}, {"users", users.size()}});
            return false;
        }
        for (std::span<const domain::Uuid> left = users; !left.empty();) {
            if (!keep_going()) return false;
            const auto some = left.first(std::min(users_replanned, left.size()));
            replan(some);
            left = left.subspan(some.size());
        }
        before = users;
    }
}

void Replanner::replan(std::span<const domain::Uuid> users) {
    try {
        postgres::replan(pool_, users);
        users_.Increment(static_cast<double>(users.size()));
    } catch (const postgres::DatabaseError& error) {
        // The others have been replanned; who is left is found again, and told of then.
        if (!error.is_data_error()) throw;
        runtime::log::warn("a user cannot be replanned", {{"reason", error.what()}});
    }
}

}  // namespace scheduler
