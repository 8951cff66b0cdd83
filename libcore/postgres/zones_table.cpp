#include "libcore/postgres/zones_table.hpp"

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

constexpr Statement names_statement{"zone_names", R"sql(
    SELECT name, stored_zone(name) FROM pg_timezone_names
    WHERE name NOT LIKE 'posix/%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
    ORDER BY name)sql",
                                    Access::read};

constexpr Statement today_statement{
    "latest_today", "SELECT (app_now() AT TIME ZONE interval '14 hours')::date", Access::read};

}  // namespace

std::vector<ZoneName> zone_names(Pool& pool) {
    std::vector<ZoneName> names;
    for (const auto row : pool.run(names_statement)) {
        names.push_back({.name = row.get<std::string>(0), .stored = row.get<std::string>(1)});
    }
    return names;
}

domain::Date latest_today(Pool& pool) {
    return pool.run(today_statement).front().get<domain::Date>(0);
}

}  // namespace postgres
