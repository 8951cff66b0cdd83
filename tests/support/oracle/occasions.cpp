#include "tests/support/oracle/occasions.hpp"

#include <algorithm>
#include <chrono>

#include "tests/support/oracle/civil_time.hpp"

namespace oracle {

namespace {

using std::chrono::year;

domain::Date kept_in(year y, const domain::Date& occasion) {
    const domain::Date day = y / occasion.month() / occasion.day();
    return day.ok() ? day : domain::Date(y / std::chrono::February / 28);
}

std::string years_with_us(int years) {
    return std::to_string(years) + (years == 1 ? " year" : " years") + " with us!";
}

}  // namespace

std::vector<Occasion> occasions(const domain::UserFields& person, domain::Instant from, domain::Instant to) {
    if (person.opted_out) {
        return {};
    }
    const Zone zone(person.timezone);
    const auto greeting = "Hey, " + person.first_name + " " + person.last_name + " it's your ";
    const auto year_of = [](domain::Instant instant) {
        return domain::Date(std::chrono::floor<std::chrono::days>(instant)).year();
    };

    std::vector<Occasion> owed;
    const auto add = [&](const domain::Date& occasion, auto&& text) {
        // East of UTC+9 the local date is a day ahead of the UTC one: 1 January is sent in the old year.
        const auto last = year_of(to) + std::chrono::years(1);
        for (auto y = std::max(year_of(from), occasion.year() + std::chrono::years(1)); y <= last; ++y) {
            const auto day = kept_in(y, occasion);
            const auto instant = zone.instant_of(wall_time(day, std::chrono::hours(9)));
            if (instant >= from && instant <= to) {
                owed.push_back({person.email, text(static_cast<int>(y) - static_cast<int>(occasion.year())),
                                person.timezone, day, instant});
            }
        }
    };
    if (person.birthday_date) {
        add(*person.birthday_date, [&](int) { return greeting + "birthday"; });
    }
    if (person.anniversary_date) {
        add(*person.anniversary_date,
            [&](int years) { return greeting + "work anniversary! " + years_with_us(years); });
    }
    std::sort(owed.begin(), owed.end(), [](const auto& a, const auto& b) { return a.instant < b.instant; });
    return owed;
}

}  // namespace oracle
