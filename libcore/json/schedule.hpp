// What is to come as JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/domain/schedule.hpp"
#include "libcore/json/writer.hpp"

namespace json {

void write(Writer& writer, const domain::ComingMessage& message);
void write(Writer& writer, const domain::DueMinute& minute);
void write(Writer& writer, const domain::Hold& hold);

/// {"messages": all, "byType": […]}, or null.
void write_totals(Writer& writer, const std::optional<std::vector<domain::DueTotal>>& totals);

}  // namespace json
