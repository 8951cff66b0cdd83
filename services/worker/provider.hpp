// The e-mail provider's contract: how a message is put to it, and what its answer means. Pure.
#pragma once

#include <string>

#include "libcore/domain/outcome.hpp"
#include "libcore/http/exchange.hpp"
#include "services/worker/settings.hpp"

namespace worker {

/// What the provider is told; borrowed.
struct Letter {
    const std::string& email;
    const std::string& content;
    const std::string& idempotency_key;
};

/// `POST {path}/send-email {"email","message"}`.
http::Request make_request(const Letter& letter, const ProviderSettings& provider);

domain::Answer interpret(const http::Answer& answer);

}  // namespace worker
