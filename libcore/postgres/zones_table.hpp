// The time zones PostgreSQL knows, and the date by its clock.
#pragma once

#include <string>
#include <vector>

#include "libcore/domain/time.hpp"

namespace postgres {

class Pool;

struct ZoneName {
    std::string name;    ///< PostgreSQL's spelling
    std::string stored;  ///< usually the same; a place where PostgreSQL would misread the name
};

/// Every name a user may give, without the names that are no place ("posix/…", "localtime", "Factory"). Slow
/// for a query: PostgreSQL reads every zone's file.
std::vector<ZoneName> zone_names(Pool& pool);

/// The latest date that is today anywhere (UTC+14), by the clock that planning goes by.
domain::Date latest_today(Pool& pool);

}  // namespace postgres
