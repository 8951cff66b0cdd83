// Creates the coming messages, unit by unit: all users of one zone who keep one type of occasion on one date.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"
#include "libcore/postgres/pool.hpp"

namespace postgres {

struct Unit {
    std::string message_type;
    std::string timezone;
    domain::Date delivery_date;
};

/// What is not planned yet and comes before now + `horizon`, the earliest dates first. After an outage of any
/// length it goes on where it stopped.
std::vector<Unit> units_due(Pool& pool, std::chrono::milliseconds horizon);

/// How many users a chunk plans: as many as fit the time that a change of one of them may wait for it,
/// however busy the machine is.
class ChunkSize {
public:
    ChunkSize() = default;
    /// Always as many.
    explicit ChunkSize(int users) : users_(users), fixed_(true) {}

    int users() const { return users_; }
    /// Half or twice as many at most, so that one odd chunk does not decide.
    void learn(std::chrono::nanoseconds took);

private:
    int users_ = 1'000;
    bool fixed_ = false;
};

/// Asked before each chunk but the first: false ends the work there, for another time.
using KeepGoing = std::function<bool()>;

/// Plans a unit in chunks that each commit, and returns how many messages it made: none while another planner
/// works on its type and zone. Interrupted anywhere, it goes on from there, in whatever process.
int plan_unit(Pool& pool, const Unit& unit, ChunkSize& chunk_size, const KeepGoing& keep_going = {});
int plan_unit(Pool& pool, const Unit& unit, int chunk_size, const KeepGoing& keep_going = {});

/// Brings what is pending of these users in line with them and with the message types as they are now. Those
/// who can be replanned are, whatever is wrong with the others; then it throws.
void replan(Pool& pool, std::span<const domain::Uuid> users);

/// A message type that was edited or deleted, and whose messages may not all know yet.
struct ChangedType {
    std::string name;
    int version = 0;
    bool deleted = false;
};

std::vector<ChangedType> changed_types(Pool& pool);

/// Up to `limit` users for whom a message of another version of the type waits.
std::vector<domain::Uuid> outdated_users(Pool& pool, const ChangedType& type, int limit);

/// Says that nothing outdated waits any longer; no effect if the type has changed again.
void note_replanned(Pool& pool, const ChangedType& type);

/// Removes some of a deleted type's dates, and with the last the type; true then.
bool remove_type(Pool& pool, const std::string& name);

/// Makes the missing monthly partitions up to three months ahead; returns how many.
int ensure_partitions(Pool& pool);

/// Whole months from now whose partitions exist.
int partitions_ahead(Pool& pool);

}  // namespace postgres
