// A message type as clients write and read one: times as 09:00, durations as 48h, instants in RFC 3339.
#pragma once

#include <string>

#include "libcore/domain/message_type.hpp"
#include "libcore/domain/result.hpp"
#include "libcore/json/value.hpp"
#include "libcore/json/writer.hpp"

namespace json {

/// What a client sent, as far as it could be understood, and every member that could not. For
/// `domain::validated`, which adds what the rules find.
struct MessageTypeInput {
    std::string name;
    domain::MessageTypeFields fields;
    domain::Errors errors;
};

/// A new one: what is absent or null has its default. A name that is missing or unfit is among the errors.
MessageTypeInput decode_new_type(const Value& body);

/// Lays the members of `body` over `base`: null brings the default back. The name cannot be changed.
MessageTypeInput decode_type_change(const Value& body, domain::MessageTypeFields base);

void write(Writer& writer, const domain::MessageType& type);
std::string encode(const domain::MessageType& type);

}  // namespace json
