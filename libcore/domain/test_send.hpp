// A message that is sent once, to one address, to see how a type reads.
#pragma once

#include <optional>
#include <string>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"

namespace domain {

/// Whom the text is made for. `date` is theirs, as a birthday would be; without it `years` is how long ago it
/// was.
struct Sample {
    std::string first_name;
    std::string last_name;
    std::string email;
    std::optional<Date> date;
    int years = 1;
    bool late = false;  ///< the text for a message that comes after its day, if the type has one
};

struct TestSend {
    Uuid id;
    std::string message_type;
    std::string recipient_email;
    std::string message_content;
    std::string status;  ///< PENDING, SENDING, SENT, FAILED, UNKNOWN
    std::optional<int> api_response_code;
    std::optional<std::string> error_message;
    Instant created_at{};
    std::optional<Instant> finished_at;
};

}  // namespace domain
