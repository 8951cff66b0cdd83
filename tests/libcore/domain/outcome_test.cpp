#include "libcore/domain/outcome.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace domain;
using namespace std::chrono_literals;

namespace {

Answer responded(int status) {
    return {.http_status = status};
}
Answer not_sent() {
    return {.kind = Answer::Kind::not_sent};
}
Answer no_answer() {
    return {.kind = Answer::Kind::no_answer};
}

Outcome after(const Answer& answer, const Past& past = {}, const RetryPolicy& policy = {}) {
    return decide(answer, past, policy, 0);
}

}  // namespace

TEST_CASE("every answer of the provider has its ending") {
    struct Row {
        Answer answer;
        Ending ending;
        bool in_doubt;
    };
    Answer success_false = responded(200);
    success_false.says_failure = true;
    const std::vector<Row> rows = {
        {responded(200), Ending::sent, false},     {responded(202), Ending::sent, false},
        {success_false, Ending::retrying, false},  {responded(408), Ending::retrying, false},
        {responded(425), Ending::retrying, false}, {responded(429), Ending::retrying, false},
        {responded(500), Ending::retrying, false}, {responded(503), Ending::retrying, false},
        {responded(400), Ending::failed, false},   {responded(404), Ending::failed, false},
        {responded(401), Ending::retrying, false}, {responded(403), Ending::retrying, false},
        {responded(422), Ending::failed, false},   {responded(302), Ending::failed, false},
        {not_sent(), Ending::retrying, false},     {no_answer(), Ending::retrying, true},
        {responded(502), Ending::retrying, true},  {responded(504), Ending::retrying, true},
    };
    for (const Row& row : rows) {
        const Outcome outcome = after(row.answer);
        INFO("kind " << static_cast<int>(row.answer.kind) << " status " << row.answer.http_status);
        CHECK(outcome.ending == row.ending);
        CHECK(outcome.in_doubt == row.in_doubt);
    }
}

TEST_CASE("five retries come after 2 4 8 16 and 32 seconds and the sixth failure is final") {
    Past past;
    for (const auto delay : {2s, 4s, 8s, 16s, 32s}) {
        const Outcome outcome = after(responded(500), past);
        CHECK(outcome.ending == Ending::retrying);
        CHECK(outcome.delay == delay);
        past.failures = outcome.failures;
    }
    CHECK(after(responded(500), past).ending == Ending::failed);
    CHECK(past.failures == 5);
}

TEST_CASE("jitter lengthens a delay by at most a tenth") {
    CHECK(decide(responded(500), {}, {}, 0.999).delay > 2150ms);
    CHECK(decide(responded(500), {}, {}, 0.999).delay <= 2200ms);
}

TEST_CASE("an outage spends no budget and is tried again at the longest delay") {
    const Past past{.failures = 3, .provider_has_succeeded_since = false};
    for (const Answer& answer : {not_sent(), responded(503), responded(401), responded(403)}) {
        const Outcome outcome = after(answer, past);
        CHECK(outcome.ending == Ending::retrying);
        CHECK(outcome.failures == 3);
        CHECK(outcome.delay == 32s);
    }
    CHECK(after(responded(500), past).failures == 4);
    CHECK(after(not_sent(), {.failures = 3}).failures == 4);
}

TEST_CASE("an answer that refuses who asks is final only while the provider accepts others") {
    Past past;
    for (int i = 0; i < 5; ++i) past.failures = after(responded(403), past).failures;
    CHECK(past.failures == 5);
    CHECK(after(responded(403), past).ending == Ending::failed);
    past.provider_has_succeeded_since = false;
    CHECK(after(responded(403), past).ending == Ending::retrying);
}

TEST_CASE("the provider is away when it was not reached, is silent, or refuses who asks") {
    for (const Answer& answer : {not_sent(), no_answer(), responded(503), responded(401), responded(403)})
        CHECK(is_outage(answer));
    for (const int status : {200, 400, 404, 429, 500, 502}) CHECK_FALSE(is_outage(responded(status)));
}

TEST_CASE("what could not be tried for want of something of ours spends no budget, ever") {
    const Answer not_tried{.kind = Answer::Kind::not_tried};
    const Outcome outcome = after(not_tried, {.failures = 5});
    CHECK(outcome.ending == Ending::retrying);
    CHECK(outcome.failures == 5);
    CHECK_FALSE(outcome.in_doubt);
    CHECK(is_outage(not_tried));
}

TEST_CASE("what may have been delivered ends as sent or unknown and never as failed") {
    const Past doubtful{.failures = 5, .in_doubt = true};
    CHECK(after(responded(500), doubtful).ending == Ending::unknown);
    CHECK(after(responded(400), doubtful).ending == Ending::unknown);
    CHECK(after(responded(200), doubtful).ending == Ending::sent);
    CHECK(after(responded(200), doubtful).in_doubt);
}

TEST_CASE("parking leaves a message in doubt to a person at once") {
    const RetryPolicy park{.in_doubt = InDoubt::park};
    CHECK(after(no_answer(), {}, park).ending == Ending::unknown);
    CHECK(after(responded(502), {}, park).ending == Ending::unknown);
    CHECK(after(not_sent(), {}, park).ending == Ending::retrying);
}

TEST_CASE("Retry-After lengthens the delay up to a cap and never shortens it") {
    Answer answer = responded(429);
    answer.retry_after = 30s;
    CHECK(after(answer).delay == 30s);
    answer.retry_after = 1s;
    CHECK(after(answer).delay == 2s);
    answer.retry_after = 100h;
    CHECK(after(answer).delay == 1h);
}

TEST_CASE("what may not be sent is suppressed unless the provider may already have it") {
    const auto plain = domain::suppress({.failures = 2});
    CHECK(plain.ending == domain::Ending::suppressed);
    CHECK(plain.failures == 2);
    CHECK_FALSE(plain.in_doubt);
    const auto in_doubt = domain::suppress({.in_doubt = true});
    CHECK(in_doubt.ending == domain::Ending::unknown);
    CHECK(in_doubt.in_doubt);
}
