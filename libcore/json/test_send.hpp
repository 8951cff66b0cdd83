// A test message as clients ask for it and see it.
#pragma once

#include <optional>
#include <string>

#include "libcore/domain/test_send.hpp"
#include "libcore/json/user.hpp"
#include "libcore/json/value.hpp"

namespace json {

/// What a client sent, as far as it could be understood. The person's fields are those of a user; their
/// `date` stands under birthday_date, whose rules it must meet.
struct TestSendInput {
    UserInput person;
    std::optional<int> years;
    bool late = false;
};

/// Of `{"email", "firstName", "lastName", "years"? | "date"?, "late"?}`.
TestSendInput decode_test_send(const Value& body);

std::string encode(const domain::TestSend& sent);

}  // namespace json
