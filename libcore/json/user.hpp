// A user as clients write and read one: camelCase, dates as YYYY-MM-DD, instants in RFC 3339.
#pragma once

#include <string>

#include "libcore/domain/result.hpp"
#include "libcore/domain/user.hpp"
#include "libcore/json/value.hpp"

namespace json {

/// What a client sent, as far as it could be understood, and every member that could not: `wrong_type`,
/// `impossible_date`, `unknown_field`. For `domain::validated`, which adds what the rules find.
struct UserInput {
    domain::UserFields fields;
    domain::Errors errors;
};

/// Lays the members of `body` over `base`: nothing for a new or replaced user, the present fields for a
/// change. A null clears; a required field that is absent or cleared is left empty for `domain::validated` to
/// find.
UserInput decode_user(const Value& body, domain::UserFields base = {});

std::string encode(const domain::User& user);

}  // namespace json
