// What becomes of a message after one attempt: the provider's answer and the message's past in, one decision
// out.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace domain {

/// What came back from one attempt to deliver.
struct Answer {
    enum class Kind {
        responded,  ///< a complete HTTP response: `http_status`, `body`, `retry_after`
        not_sent,   ///< provably never reached the provider: refused, DNS, TLS, reset before anything was
                    ///< written
        not_tried,  ///< we had nothing left to send it with: says nothing of the provider
        no_answer,  ///< written, and nothing came back: the provider may have it
    };
    Kind kind = Kind::responded;
    int http_status = 0;
    bool says_failure = false;  ///< a 2xx whose body says `"success": false`
    std::optional<std::chrono::seconds> retry_after{};
    std::string body{};
    std::string error{};
};

/// What to do about a message that the provider may already have: send the same bytes under the same key
/// again, or leave it to a person.
enum class InDoubt { resend, park };

struct RetryPolicy {
    std::chrono::milliseconds first_delay{2'000};  ///< doubles with each counted failure: 2, 4, 8, 16, 32 s
    int retries = 5;                               ///< the next counted failure is final
    std::chrono::milliseconds longest_retry_after{3'600'000};
    InDoubt in_doubt = InDoubt::resend;
};

/// What the row says of earlier attempts, and what this worker knows of the provider.
struct Past {
    int failures = 0;
    bool in_doubt = false;
    /// The provider has accepted something from this worker since the message's last try: then it is not an
    /// outage.
    bool provider_has_succeeded_since = true;
};

/// `suppressed`: it was not tried, because its recipient may not be written to.
enum class Ending { sent, retrying, failed, unknown, suppressed };

struct Outcome {
    Ending ending = Ending::sent;
    int failures = 0;
    bool in_doubt = false;
    std::chrono::milliseconds delay{0};  ///< until the next attempt, when retrying
};

/// `jitter` in [0, 1) lengthens the delay by up to 10 %.
Outcome decide(const Answer& answer, const Past& past, const RetryPolicy& policy, double jitter);

/// Of a message whose recipient may not be written to: suppressed, unless the provider may already have it.
Outcome suppress(const Past& past);

/// The provider does not accept who asks, whatever is asked: 401 and 403.
bool refuses_credentials(const Answer& answer);

/// The provider is away, for this worker at least, rather than refusing this message: what opens the circuit
/// after a few in a row.
bool is_outage(const Answer& answer);

}  // namespace domain
