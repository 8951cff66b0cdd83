#include "libcore/json/message.hpp"

#include <catch2/catch.hpp>

#include "libcore/json/problem.hpp"

TEST_CASE("a message is written with its instants in UTC and the recipient's local time") {
    domain::Message message;
    message.id = *domain::parse_uuid("0190a0b0-c0d0-7e00-8f00-000000000001");
    message.user_id = *domain::parse_uuid("0190a0b0-c0d0-7e00-8f00-000000000002");
    message.message_type = "BIRTHDAY";
    message.delivery_date = *domain::parse_date("2027-02-28");
    message.timezone = "Asia/Kathmandu";
    message.local_time = "2027-02-28T09:00:00";
    message.scheduled_send_time = std::chrono::sys_days(message.delivery_date) + std::chrono::minutes(195);
    message.due_at = message.scheduled_send_time;
    message.civil_rule = "leap:feb28";
    json::Writer writer;
    json::write(writer, message);
    CHECK(writer.take() ==
          R"({"id":"0190a0b0-c0d0-7e00-8f00-000000000001","userId":"0190a0b0-c0d0-7e00-8f00-000000000002",)"
          R"("messageType":"BIRTHDAY","deliveryDate":"2027-02-28","timezone":"Asia/Kathmandu",)"
          R"("localTime":"2027-02-28T09:00:00","scheduledSendTime":"2027-02-28T03:15:00Z",)"
          R"("dueAt":"2027-02-28T03:15:00Z","status":"SCHEDULED","attempt":0,"failures":0,"inDoubt":false,)"
          R"("civilRule":"leap:feb28","messageContent":null,"actualSendTime":null,"apiResponseCode":null,)"
          R"("errorMessage":null,"replayedFor":null})");
}

TEST_CASE("a problem names every wrong field and the request") {
    const json::Problem problem{
        400,
        "validation_failed",
        "2 fields are wrong.",
        {{"required", "firstName", "is required"}, {"unknown_field", "x\"y", "is unknown"}}};
    CHECK(
        json::encode(problem, "r-1") ==
        R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"2 fields are wrong.",)"
        R"("code":"validation_failed","errors":[{"field":"firstName","code":"required","detail":"is required"},)"
        R"({"field":"x\"y","code":"unknown_field","detail":"is unknown"}],"requestId":"r-1"})");
}
