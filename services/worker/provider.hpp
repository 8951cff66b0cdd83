// The e-mail provider's contract: how a message is put to it, and what its answer means. Pure.
#pragma once

#include <string>

#include "libcore/domain/outcome.hpp"
#include "libcore/http/exchange.hpp"
#include "libcore/postgres/claim_table.hpp"

namespace worker {

/// `POST {path}/send-email {"email","message"}` under the message's own idempotency key.
http::Request make_request(const postgres::Claimed& message, const std::string& path,
                           const std::string& token);

domain::Answer interpret(const http::Answer& answer);

}  // namespace worker
