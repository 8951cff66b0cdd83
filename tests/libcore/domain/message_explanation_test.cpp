#include <catch2/catch.hpp>
#include <set>

#include "libcore/domain/message_history.hpp"

using namespace domain;
using namespace std::chrono_literals;

namespace {

const Instant nine = std::chrono::sys_days(2027y / 3 / 1) + 9h;

/// A message for nine of which nothing is said but its state; an hour has passed.
MessageHistory history_of(Status status) {
    MessageHistory history;
    history.message.message_type = "BIRTHDAY";
    history.message.delivery_date = 2027y / 3 / 1;
    history.message.scheduled_send_time = nine;
    history.message.status = status;
    history.now = nine + 1h;
    history.planned_at = nine - 26h;
    history.changed_at = nine + 2s;
    history.max_lateness = 48h;
    return history;
}

MessageHistory waiting(Instant due_at, Status status = Status::scheduled) {
    auto history = history_of(status);
    history.message.due_at = due_at;
    return history;
}

MessageHistory sent(std::chrono::microseconds after) {
    auto history = history_of(Status::sent);
    history.message.attempt = 1;
    history.message.actual_send_time = nine + after;
    history.message.api_response_code = 200;
    return history;
}

MessageHistory missed() {
    auto history = history_of(Status::missed);
    history.attention_at = nine + 49h;
    history.now = nine + 50h;
    return history;
}

MessageHistory ended(Status status, const std::string& error) {
    auto history = history_of(status);
    history.message.error_message = error;
    return history;
}

AttemptRecord attempt(int number, Instant at, const std::string& outcome, int http_status = 500) {
    return {.number = number,
            .started_at = at - 100ms,
            .finished_at = at,
            .outcome = outcome,
            .http_status = http_status,
            .error = "the provider answered " + std::to_string(http_status)};
}

bool says(const Explanation& explanation, const std::string& words) {
    return explanation.text.find(words) != std::string::npos;
}

std::optional<FactValue> fact(const Explanation& explanation, const std::string& name) {
    for (const auto& one : explanation.facts)
        if (one.name == name) return one.value;
    return std::nullopt;
}

std::vector<std::string> events(const MessageHistory& history) {
    std::vector<std::string> names;
    for (const auto& event : timeline(history)) names.push_back(event.event);
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("every state of a message has its explanation") {
    struct Row {
        std::string code;
        MessageHistory history;
        std::string words;
    };
    std::vector<Row> rows;
    const auto row = [&](const char* code, MessageHistory history, const char* words) -> MessageHistory& {
        rows.push_back({code, std::move(history), words});
        return rows.back().history;
    };
    row("waiting", waiting(nine), "not due before 2027-03-01T09:00:00Z (in 2 h)").now = nine - 2h;
    {
        auto& paused = row("waiting", waiting(nine), "All deliveries are paused");
        paused.now = nine - 2h;
        paused.everything_paused = true;
    }
    {
        auto& paused = row("waiting", waiting(nine), "Its type is paused until 2027-03-01T12:00:00Z");
        paused.now = nine - 2h;
        paused.type_paused_until = nine + 3h;
    }
    row("waiting_paused", waiting(nine), "until somebody resumes them").everything_paused = true;
    row("waiting_paused", waiting(nine + 3h), "Its type is paused until 2027-03-01T12:00:00Z")
        .type_paused_until = nine + 3h;
    row("waiting_paused", waiting(nine), "after 2027-03-03T09:00:00Z it is MISSED").type_paused_until =
        nine + 72h;
    row("waiting_replan", waiting(nine), "before a change").outdated = true;
    {
        auto& replayed = row("waiting_replay", waiting(nine + 72h),
                             "It was FAILED before ops replayed it at 2027-03-04T08:00:00Z: it was us.");
        replayed.now = nine + 71h;
        replayed.message.replayed_for = nine + 72h;
        replayed.interventions = {{nine + 71h, true, "ops", "it was us", "FAILED"}};
    }
    {
        auto& replayed = row("waiting_dispatch", waiting(nine + 72h), "It was MISSED before");
        replayed.now = nine + 73h;
        replayed.message.replayed_for = nine + 72h;
        replayed.interventions = {{nine + 72h, true, "ops", "it was us", "MISSED"}};
    }
    row("cancelled_by_person", ended(Status::cancelled, "cancelled by ops: wrong text"),
        "cancelled by ops: wrong text");
    {
        auto& outdated = row("waiting_replan", waiting(nine), "before a change");
        outdated.outdated = outdated.everything_paused = true;
    }
    row("waiting_dispatch", waiting(nine), "due since 2027-03-01T09:00:00Z");
    row("waiting_dispatch", waiting(nine), "is MISSED as soon as").now = nine + 48h + 1us;
    {
        auto& retry = row("waiting_retry", waiting(nine + 1h + 8s, Status::retrying),
                          "Attempt 3 did not succeed (the provider answered 500); the next comes at "
                          "2027-03-01T10:00:08Z. 3 failures counted; after 5 the next is final.");
        retry.message.attempt = 3;
        retry.message.failures = 3;
        retry.message.error_message = "the provider answered 500";
        retry.attempts = {attempt(3, nine + 1h, "RETRYING")};
    }
    row("given_back", waiting(nine + 2h, Status::retrying), "gave it back").message.attempt = 1;
    {
        auto& rescued = row("given_back", waiting(nine + 2h, Status::retrying), "a worker that was lost");
        rescued.message.attempt = 1;
        rescued.message.in_doubt = true;
        rescued.rescues = 1;
    }
    row("in_queue", history_of(Status::queued), "in the queue since 2027-03-01T09:00:02Z");
    row("in_flight", history_of(Status::sending), "until 2027-03-01T10:00:20Z at most").lease_until =
        nine + 1h + 20s;
    row("in_flight", history_of(Status::sending), "its lease ran out").lease_until = nine + 30s;
    row("sent", sent(1s), "1 s after its time");
    row("sent", sent(60s - 1us), "59 s after its time");
    row("sent_late", sent(60s), "1 min late");
    row("failed", ended(Status::failed, "the provider answered 422"),
        "the provider answered 422, which is final");
    row("failed", ended(Status::failed, "the provider answered 500"), "all retries were spent")
        .message.failures = 6;
    row("missed", missed(), "2 d 1 h late, 1 h more than its type allows");
    row("missed", missed(), "more than its type allowed").max_lateness.reset();
    row("missed", missed(), "allows more by now").max_lateness = 96h;
    row("in_doubt", ended(Status::unknown, "the worker was lost during the attempt"), "Nobody knows");
    row("cancelled_deleted", ended(Status::cancelled, "user deleted"), "deleted before it was sent");
    row("cancelled_opted_out", ended(Status::cancelled, "opted out"), "opted out before it was sent");
    row("suppressed", ended(Status::cancelled, "suppressed: the recipient is not in RECIPIENT_ALLOWLIST"),
        "not in RECIPIENT_ALLOWLIST");
    row("cancelled", ended(Status::cancelled, "by hand"), "by hand");

    std::set<std::string> codes;
    for (const auto& [code, history, words] : rows) {
        const auto explanation = explain(history);
        CAPTURE(explanation.text, words);
        CHECK(explanation.code == code);
        CHECK(says(explanation, words));
        CHECK(fact(explanation, "scheduledSendTime") == FactValue(nine));
        codes.insert(explanation.code);
    }
    CHECK(codes.size() == 19);
}

TEST_CASE("a lateness names what the ledger knows of its causes, and else that it knows none") {
    auto late = sent(5h);
    CHECK(says(explain(late), "The ledger records no cause"));
    CHECK(fact(explain(late), "lateBySeconds") == FactValue(std::int64_t{5 * 3600}));
    CHECK(fact(explain(late), "afterTheDay") == FactValue(false));

    late.holds = {
        {.everything = true, .since = nine - 1h, .until = nine + 2h, .by = "ops", .reason = "wrong text"}};
    const auto paused = explain(late);
    CHECK_FALSE(says(paused, "no cause"));
    CHECK(says(
        paused,
        "All deliveries were paused by ops from 2027-03-01T08:00:00Z to 2027-03-01T11:00:00Z (wrong text)."));
    CHECK(fact(paused, "pausedSeconds") == FactValue(std::int64_t{2 * 3600}));

    late.holds.push_back(
        {.everything = false, .since = nine + 1h, .until = nine + 3h, .by = "ops", .reason = ""});
    late.holds.push_back(
        {.everything = true, .since = nine + 4h, .until = nine + 9h, .by = "ops", .reason = ""});
    CHECK(fact(explain(late), "pausedSeconds") == FactValue(std::int64_t{(3 + 1) * 3600}));

    late.holds = {{.everything = false, .since = nine + 6h, .until = nine + 7h, .by = "ops", .reason = ""}};
    CHECK(says(explain(late), "no cause"));

    late.holds.clear();
    late.planned_at = nine + 4h;
    CHECK(says(explain(late), "planned only at 2027-03-01T13:00:00Z"));

    late.user_changed_at = nine + 4h;
    late.type_rules_changed_at = nine;
    CHECK(
        says(explain(late), "The user was changed at 2027-03-01T13:00:00Z, after this time: that moved it"));
    CHECK_FALSE(says(explain(late), "The type"));
    CHECK_FALSE(says(explain(late), "planner was behind"));
    CHECK(fact(explain(late), "userChangedAt") == FactValue(nine + 4h));
    late.planned_at = nine - 26h;
    late.user_changed_at = nine + 6h;
    late.type_rules_changed_at = nine + 3h;
    CHECK(says(explain(late), "The type's rules were changed at 2027-03-01T12:00:00Z"));
    CHECK_FALSE(says(explain(late), "no cause"));
    CHECK_FALSE(says(explain(late), "The user was changed"));
    late.type_rules_changed_at.reset();
    CHECK(says(explain(late), "no cause"));

    late.planned_at = nine - 26h;
    late.message.attempt = 3;
    late.rescues = 1;
    late.attempts = {attempt(2, nine + 1h, "RETRYING"), attempt(3, nine + 5h, "SENT", 200)};
    CHECK(says(explain(late), "1 attempt before did not succeed"));
    CHECK(says(explain(late), "A worker was lost with it 1 time."));

    auto after_the_day = sent(20h);
    after_the_day.after_the_day = true;
    CHECK(says(explain(after_the_day), "The recipient's day had passed."));

    auto too_late = missed();
    too_late.holds = {{.everything = false, .since = nine - 1h, .until = {}, .by = "ops", .reason = ""}};
    CHECK(says(explain(too_late), "Its type was paused by ops from"));
}

TEST_CASE("what failed tells the provider's answer") {
    auto failed = ended(Status::failed, "the provider answered 422");
    failed.message.api_response_code = 422;
    failed.response_body = "no such mailbox";
    const auto explanation = explain(failed);
    CHECK(fact(explanation, "httpStatus") == FactValue(std::int64_t{422}));
    CHECK(fact(explanation, "responseBody") == FactValue(std::string("no such mailbox")));
    CHECK(fact(explanation, "error") == FactValue(std::string("the provider answered 422")));
}

TEST_CASE("a timeline tells in order what happened to a message") {
    auto history = sent(90s);
    CHECK(events(history) == Names{"planned", "due", "sent"});

    history.message.attempt = 5;
    history.attempts = {attempt(2, nine + 20s, "RETRYING"), attempt(5, nine + 90s, "SENT", 200)};
    history.holds = {
        {.everything = true, .since = nine + 30s, .until = nine + 80s, .by = "ops", .reason = ""}};
    history.removals = {{.at = nine - 27h, .scheduled_send_time = nine}};
    CHECK(events(history) == Names{"removed", "planned", "due", "not_recorded", "attempt",
                                   "deliveries_paused", "not_recorded", "attempt", "sent"});
    const auto told = timeline(history);
    CHECK_FALSE(told[3].at);
    CHECK(told[3].text.starts_with("Attempt 1 left no record"));
    CHECK(told[6].text.starts_with("Attempts 3 to 4 left no record"));
    REQUIRE(told[4].attempt);
    CHECK(told[4].attempt->number == 2);
    CHECK(told[4].at == nine + 20s);

    history.earlier_attempts = 7;
    CHECK(events(history)[3] == "earlier_attempts");
}

TEST_CASE("a timeline ends with the state a message is in") {
    auto planned = waiting(nine);
    planned.now = nine - 1h;
    planned.changed_at = planned.planned_at;
    CHECK(events(planned) == Names{"planned"});
    planned.changed_at = nine - 2h;
    CHECK(events(planned) == Names{"planned", "changed"});

    CHECK(events(history_of(Status::queued)) == Names{"planned", "due", "dispatched"});
    auto sending = history_of(Status::sending);
    sending.message.attempt = 1;
    CHECK(events(sending) == Names{"planned", "due", "claimed"});
    auto rescued = waiting(nine + 2h, Status::retrying);
    rescued.message.attempt = 1;
    CHECK(events(rescued) == Names{"planned", "due", "not_recorded", "taken_back"});
    auto retrying = waiting(nine + 2h, Status::retrying);
    retrying.message.attempt = 1;
    retrying.attempts = {attempt(1, nine + 1s, "RETRYING")};
    CHECK(events(retrying) == Names{"planned", "due", "attempt"});
    CHECK(events(missed()) == Names{"planned", "due", "missed"});
    CHECK(events(ended(Status::failed, "x")).back() == "failed");
    CHECK(events(ended(Status::unknown, "x")).back() == "unknown");
    CHECK(events(ended(Status::cancelled, "opted out")).back() == "cancelled");
}

TEST_CASE("a timeline tells who replayed and who cancelled a message, and why") {
    auto replayed = waiting(nine + 50h);
    replayed.now = nine + 49h;
    replayed.message.attempt = 1;
    replayed.message.replayed_for = nine + 50h;
    replayed.changed_at = nine + 49h;
    replayed.attempts = {attempt(1, nine + 1s, "FAILED", 400)};
    replayed.interventions = {{nine + 49h, true, "ops", "it was us", "FAILED"}};
    CHECK(events(replayed) == Names{"planned", "due", "attempt", "replayed"});
    CHECK(timeline(replayed).back().text == "Replayed by ops when it was FAILED: it was us");

    auto cancelled = ended(Status::cancelled, "cancelled by ops: wrong text");
    cancelled.interventions = {{nine + 1s, false, "ops", "wrong text", "QUEUED"}};
    CHECK(events(cancelled) == Names{"planned", "due", "cancelled"});
    CHECK(timeline(cancelled).back().text == "Cancelled by ops when it was QUEUED: wrong text");
}

TEST_CASE("a replayed message is late from its replay on, and its lateness has a known cause") {
    auto late = missed();
    late.attention_at = nine + 100h;
    late.message.replayed_for = nine + 50h;
    late.interventions = {{nine + 50h, true, "ops", "it was us", "MISSED"}};
    CHECK(says(explain(late), "2 h more than its type allows"));
    CHECK_FALSE(says(explain(late), "no cause"));
    auto again = sent(52h);
    again.interventions = late.interventions;
    CHECK_FALSE(says(explain(again), "no cause"));
    CHECK(fact(explain(again), "replayedBy") == FactValue(std::string("ops")));
}

TEST_CASE("durations are spoken in their two largest units") {
    CHECK(spoken(999ms) == "less than 1 s");
    CHECK(spoken(1s) == "1 s");
    CHECK(spoken(60s) == "1 min");
    CHECK(spoken(3661s) == "1 h 1 min");
    CHECK(spoken(24h + 59s) == "1 d");
    CHECK(spoken(49h + 59min) == "2 d 1 h");
}
