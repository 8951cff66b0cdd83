// Creates the coming messages, unit by unit: all users of one zone who keep one type of occasion on one date.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "libcore/domain/time.hpp"
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

/// Asked before each chunk but the first: false ends the work there, for another time.
using KeepGoing = std::function<bool()>;

/// Plans a unit in chunks that each commit, and returns how many messages it made: none if another planner
/// was first. Interrupted anywhere, it can be called again.
int plan_unit(Pool& pool, const Unit& unit, int chunk_size, const KeepGoing& keep_going = {});

/// Makes the missing monthly partitions up to three months ahead; returns how many.
int ensure_partitions(Pool& pool);

/// Whole months from now whose partitions exist.
int partitions_ahead(Pool& pool);

}  // namespace postgres
