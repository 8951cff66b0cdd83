// A user as the API knows one, and the rules every user must meet. The set of zones is passed in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/domain/result.hpp"
#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace domain {

/// Of a first or a last name, in characters.
inline constexpr std::size_t longest_name = 100;

/// Of whatever date a user may have.
inline constexpr Date earliest_date{std::chrono::year(1900), std::chrono::January, std::chrono::day(1)};
inline constexpr Date latest_date{std::chrono::year(2200), std::chrono::December, std::chrono::day(31)};

/// What a client may set. Texts are UTF-8.
struct UserFields {
    std::string first_name;
    std::string last_name;
    std::string email;
    std::string timezone;
    std::optional<Date> birthday_date;
    std::optional<Date> anniversary_date;
    std::optional<std::string> location_city;
    std::optional<std::string> location_country;
    std::optional<std::string> external_id;
    bool opted_out = false;

    friend bool operator==(const UserFields&, const UserFields&) = default;
};

struct User {
    Uuid id;
    UserFields fields;
    Instant created_at{};
    Instant updated_at{};
    std::optional<Instant> deleted_at;
};

/// The canonical spelling of a zone name whatever its case ("asia/kathmandu" -> "Asia/Kathmandu"), or
/// nothing.
using CanonicalZone = std::function<std::optional<std::string>(std::string_view)>;

/// The fields trimmed and canonicalised (an empty optional text becomes absent), or every rule they break,
/// under the API's field names (`firstName`). `today` is the latest date that is today anywhere (UTC+14): a
/// birthday after it is in the future. `found` is what reading the input has already found wrong: those
/// fields are not judged again, and all errors come back together.
Result<UserFields> validated(UserFields fields, const CanonicalZone& canonical_zone, const Date& today,
                             Errors found = {});

}  // namespace domain
