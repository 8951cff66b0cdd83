#include "libcore/domain/outcome.hpp"

#include <algorithm>
#include <cmath>

namespace domain {

namespace {

enum class Verdict { delivered, try_again, refused, in_doubt };

Verdict judge(const Answer& answer) {
    if (answer.kind == Answer::Kind::not_sent || answer.kind == Answer::Kind::not_tried)
        return Verdict::try_again;
    if (answer.kind == Answer::Kind::no_answer) return Verdict::in_doubt;
    if (refuses_credentials(answer)) return Verdict::try_again;
    const int status = answer.http_status;
    if (status >= 200 && status < 300) return answer.says_failure ? Verdict::try_again : Verdict::delivered;
    // A gateway spoke, not the provider: the request may have arrived behind it.
    if (status == 502 || status == 504) return Verdict::in_doubt;
    if (status == 408 || status == 425 || status == 429 || status >= 500) return Verdict::try_again;
    return Verdict::refused;
}

std::chrono::milliseconds back_off(int failures, const RetryPolicy& policy, double jitter) {
    const int doublings = std::clamp(failures - 1, 0, policy.retries - 1);
    const double delay = std::ldexp(static_cast<double>(policy.first_delay.count()), doublings);
    return std::chrono::milliseconds(std::llround(delay * (1 + jitter / 10)));
}

}  // namespace

bool refuses_credentials(const Answer& answer) {
    return answer.kind == Answer::Kind::responded && (answer.http_status == 401 || answer.http_status == 403);
}

bool is_outage(const Answer& answer) {
    return answer.kind != Answer::Kind::responded || answer.http_status == 503 || refuses_credentials(answer);
}

Outcome decide(const Answer& answer, const Past& past, const RetryPolicy& policy, double jitter) {
    const Verdict verdict = judge(answer);
    Outcome outcome{.failures = past.failures, .in_doubt = past.in_doubt || verdict == Verdict::in_doubt};
    if (verdict == Verdict::delivered) return outcome;

    // What may have been delivered is never called failed.
    const Ending end = outcome.in_doubt ? Ending::unknown : Ending::failed;
    outcome.ending = end;
    if (verdict == Verdict::in_doubt && policy.in_doubt == InDoubt::park) return outcome;

    const bool away = answer.kind != Answer::Kind::no_answer && is_outage(answer);
    const bool tried = answer.kind != Answer::Kind::not_tried;
    const bool spends_budget = tried && (!away || past.provider_has_succeeded_since);
    if (spends_budget) ++outcome.failures;
    if (verdict == Verdict::refused || outcome.failures > policy.retries) return outcome;

    outcome.ending = Ending::retrying;
    outcome.delay = back_off(spends_budget ? outcome.failures : policy.retries, policy, jitter);
    if (answer.retry_after) {
        const std::chrono::milliseconds asked = *answer.retry_after;
        outcome.delay = std::max(outcome.delay, std::min(asked, policy.longest_retry_after));
    }
    return outcome;
}

Outcome suppress(const Past& past) {
    return {.ending = past.in_doubt ? Ending::unknown : Ending::suppressed,
            .failures = past.failures,
            .in_doubt = past.in_doubt};
}

}  // namespace domain
