// A message as clients read one.
#pragma once

#include "libcore/domain/message.hpp"
#include "libcore/json/writer.hpp"

namespace json {

/// As the writer's next value.
void write(Writer& writer, const domain::Message& message);

/// Into an object that has been begun.
void write_members(Writer& writer, const domain::Message& message);

}  // namespace json
