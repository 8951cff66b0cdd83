// A user's further dates as clients write and read them.
#pragma once

#include "libcore/domain/occasion.hpp"
#include "libcore/json/value.hpp"
#include "libcore/json/writer.hpp"

namespace json {

/// What a client sent, as far as it could be understood, and every member that could not.
struct OccasionInput {
    domain::OccasionInput occasion;
    domain::Errors errors;
};

/// Of `{"messageType", "date", "oneOff"?}`.
OccasionInput decode_occasion(const Value& body);

void write(Writer& writer, const domain::Occasion& occasion);

}  // namespace json
