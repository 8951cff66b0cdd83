#include "tests/support/demo/population.hpp"

#include <algorithm>
#include <array>
#include <random>

#include "tests/support/demo/names.hpp"

namespace demo {

namespace {

using namespace std::chrono_literals;
using std::chrono::day;
using std::chrono::month_day;
using std::chrono::year;

constexpr month_day before_leap_day = std::chrono::February / 28;
constexpr month_day leap_day = std::chrono::February / 29;

// The window reaches into 1 March; the last three must stay silent, two of them by a single day.
constexpr std::array birthdays{
    std::chrono::February / 27, before_leap_day,        leap_day,
    std::chrono::March / 1,     std::chrono::March / 1, std::chrono::February / 27,
    std::chrono::February / 26, std::chrono::March / 3, std::chrono::August / 15,
};

class Chance {
public:
    explicit Chance(std::uint64_t seed) : random_(seed) {}

    std::mt19937_64& engine() { return random_; }
    bool one_in(unsigned n) { return random_() % n == 0; }
    int between(int low, int high) {
        return low + static_cast<int>(random_() % static_cast<unsigned>(high - low + 1));
    }

    /// This day in a year from `earliest` to `latest` that has it.
    domain::Date in_some_year(month_day on, int earliest, int latest) {
        domain::Date date;
        do date = year(between(earliest, latest)) / on;
        while (!date.ok());
        return date;
    }

private:
    std::mt19937_64 random_;
};

month_day birthday(std::size_t round, Chance& chance) {
    if (round == 0) return before_leap_day;
    if (round == 1) return leap_day;
    return birthdays[static_cast<std::size_t>(chance.between(0, birthdays.size() - 1))];
}

/// "America/Argentina/Buenos_Aires" is in Buenos Aires.
std::string city_of(std::string zone) {
    zone.erase(0, zone.rfind('/') + 1);
    std::replace(zone.begin(), zone.end(), '_', ' ');
    return zone;
}

domain::UserFields person(std::size_t number, const std::string& zone, std::size_t round, Chance& chance) {
    domain::UserFields fields;
    auto name = name_in(zone, chance.engine());
    fields.first_name = std::move(name.first);
    fields.last_name = std::move(name.last);
    fields.email = "person." + std::to_string(number) + "@example.org";
    fields.timezone = zone;
    if (zone.find('/') != std::string::npos && !zone.starts_with("Etc/"))
        fields.location_city = city_of(zone);
    fields.birthday_date = chance.in_some_year(birthday(round, chance), 1944, 2008);
    if (chance.one_in(4)) {
        // Up to the year that the demo plays in, whose own anniversary is the day of joining: silent.
        const auto on = birthdays[static_cast<std::size_t>(chance.between(0, birthdays.size() - 1))];
        fields.anniversary_date = chance.in_some_year(on, 2008, static_cast<int>(first_day.year()));
    }
    // Enough rounds of every zone before anybody opts out: each zone is to hear something.
    fields.opted_out = round >= 2 && chance.one_in(50);
    return fields;
}

}  // namespace

std::vector<domain::UserFields> population(const std::vector<std::string>& zones, std::size_t size,
                                           std::uint64_t seed) {
    Chance chance(seed);
    std::vector<domain::UserFields> people;
    people.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        people.push_back(person(i + 1, zones[i % zones.size()], i / zones.size(), chance));
    }
    return people;
}

}  // namespace demo
