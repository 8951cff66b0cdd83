#include "libcore/postgres/zones_table.hpp"

#include "libcore/postgres/pool.hpp"

namespace postgres {

namespace {

constexpr Statement names_statement{"zone_names", R"sql(
    SELECT name FROM pg_timezone_names
    WHERE name NOT LIKE 'posix/%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
    ORDER BY name)sql"};

constexpr Statement today_statement{"latest_today",
                                    "SELECT (app_now() AT TIME ZONE interval '14 hours')::date"};

}  // namespace

std::vector<std::string> zone_names(Pool& pool) {
    std::vector<std::string> names;
    for (const auto row : pool.run(names_statement)) names.push_back(row.get<std::string>(0));
    return names;
}

domain::Date latest_today(Pool& pool) {
    return pool.run(today_statement).front().get<domain::Date>(0);
}

}  // namespace postgres
