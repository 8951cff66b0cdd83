// Why a message was sent or not, as clients read it.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "libcore/domain/message_history.hpp"

namespace json {

/// The message as in lists, with `timeline` and `explanation`.
std::string encode(const domain::MessageHistory& history);

struct ExplainedDay {
    domain::Uuid user_id;
    std::string_view message_type;
    domain::Date day{};
    const domain::Explanation& explanation;
    const domain::MessageHistory* history;  ///< null when there is no message
    std::span<const domain::Message> others;
};

std::string encode(const ExplainedDay& day);

}  // namespace json
