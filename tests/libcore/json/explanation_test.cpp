#include "libcore/json/explanation.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

const domain::Instant nine = std::chrono::sys_days(2027y / 3 / 1) + 9h;

domain::MessageHistory retrying() {
    domain::MessageHistory history;
    history.message.message_type = "BIRTHDAY";
    history.message.delivery_date = 2027y / 3 / 1;
    history.message.scheduled_send_time = nine;
    history.message.status = domain::Status::retrying;
    history.message.due_at = nine + 5s;
    history.message.attempt = 1;
    history.planned_at = nine - 24h;
    history.now = nine + 4s;
    history.attempts = {{.number = 1,
                         .started_at = nine + 1s,
                         .finished_at = nine + 3s,
                         .outcome = "RETRYING",
                         .http_status = 500,
                         .error = {}}};
    return history;
}

}  // namespace

TEST_CASE("a message with its history is the message and what explains it") {
    const auto text = json::encode(retrying());
    CHECK(text.starts_with(R"({"id":"00000000-)"));
    const auto timeline = text.find(
        R"("errorMessage":null,"replayedFor":null,"timeline":[{"at":"2027-02-28T09:00:00Z","event":"planned","text":"Planned; )");
    CHECK(timeline != std::string::npos);
    CHECK(text.find(R"({"at":"2027-03-01T09:00:03Z","event":"attempt","text":)"
                    R"("Attempt 1: the provider answered 500 (RETRYING).",)"
                    R"("attempt":1,"startedAt":"2027-03-01T09:00:01Z","outcome":"RETRYING","httpStatus":500,)"
                    R"("error":null}],"explanation":{"code":"waiting_retry","text":"Attempt 1 did not)") !=
          std::string::npos);
    CHECK(text.find(R"("facts":{"scheduledSendTime":"2027-03-01T09:00:00Z","attempt":1,)") !=
          std::string::npos);
}

TEST_CASE("a day is explained with its message or without one") {
    domain::Explanation why{"not_this_day", "Another."};
    why.with("keptOn", domain::Date(2027y / 5 / 7)).with("afterTheDay", true);
    CHECK(
        json::encode(json::ExplainedDay{{}, "BIRTHDAY", 2027y / 3 / 1, why, nullptr, {}}) ==
        R"({"userId":"00000000-0000-0000-0000-000000000000","messageType":"BIRTHDAY","deliveryDate":"2027-03-01",)"
        R"("explanation":{"code":"not_this_day","text":"Another.","facts":{"keptOn":"2027-05-07",)"
        R"("afterTheDay":true}},"message":null,"timeline":[],"otherMessages":[]})");

    const auto history = retrying();
    const std::vector others{history.message};
    const auto text = json::encode(json::ExplainedDay{{}, "BIRTHDAY", 2027y / 3 / 1, why, &history, others});
    CHECK(text.find(R"("message":{"id":)") != std::string::npos);
    CHECK(text.find(R"("timeline":[{"at":)") != std::string::npos);
    CHECK(text.find(R"("otherMessages":[{"id":)") != std::string::npos);
}
