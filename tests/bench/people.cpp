#include "tests/bench/people.hpp"

#include <chrono>
#include <functional>

#include "libcore/json/writer.hpp"

namespace bench {

using namespace std::chrono_literals;

People::People(const std::vector<postgres::ZoneName>& zones, std::string mark)
    : zones_(zones), mark_(std::move(mark)), random_(std::hash<std::string>{}(mark_)) {}

domain::UserFields People::next() {
    const std::chrono::sys_days earliest = 1950y / 1 / 1;
    return {.first_name = "Ada",
            .last_name = "Lovelace",
            .email = mark_ + std::to_string(++count_) + "@example.com",
            .timezone = zones_[random_() % zones_.size()].stored,
            .birthday_date = domain::Date(earliest + std::chrono::days(random_() % 20'000)),
            .anniversary_date = {},
            .location_city = "London",
            .location_country = "United Kingdom",
            .external_id = {}};
}

std::string request_body(const domain::UserFields& user) {
    return json::Writer()
        .begin_object()
        .member("firstName", user.first_name)
        .member("lastName", user.last_name)
        .member("email", user.email)
        .member("timezone", user.timezone)
        .member("birthdayDate", user.birthday_date)
        .member("locationCity", user.location_city)
        .member("locationCountry", user.location_country)
        .end_object()
        .take();
}

}  // namespace bench
