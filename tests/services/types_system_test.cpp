// A message type's whole life over the API, while the real scheduler and worker run: none of them restarts.

#include <catch2/catch.hpp>

#include "libcore/json/parser.hpp"
#include "tests/services/drill.hpp"

namespace {

using namespace drill;
using support::HttpReply;

const std::string types = "/api/v1/message-types";
const std::string party = types + "/PARTY";

/// A system whose clients say everything over the API.
struct Running {
    System system;
    support::Service api = system.start("api-svc");
    support::Service scheduler = system.start("scheduler-svc");
    support::Service worker = system.start("worker-svc");

    HttpReply call(const std::string& method, const std::string& target, const std::string& body = {}) const {
        const support::HttpHeaders json{{"Content-Type", "application/json"}};
        return support::HttpClient(api.port())
            .request(method, target, body, body.empty() ? support::HttpHeaders() : json);
    }

    void add_type(const std::string& more = {}) const {
        const auto reply = call(
            "POST", types, R"({"name": "PARTY", "template": "Party, {first_name}: {years}!")" + more + "}");
        CAPTURE(reply.body);
        REQUIRE(reply.status == 201);
    }

    /// Whose party it is on the day of the drill; the user's address.
    std::string add_guest(const std::string& email = "ada@example.org") const {
        const auto user =
            call("POST", "/api/v1/users", R"({"firstName": "Ada", "lastName": "Byron", "timezone": "UTC",
            "email": ")" + email + "\"}");
        CAPTURE(user.body);
        REQUIRE(user.status == 201);
        const auto location = user.header("location");
        const auto occasion =
            call("POST", location + "/occasions", R"({"messageType": "PARTY", "date": "2020-03-10"})");
        CAPTURE(occasion.body);
        REQUIRE(occasion.status == 201);
        return location;
    }

    void change(const std::string& body) const {
        const auto reply = call("PATCH", party, body);
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
    }

    bool is_replanned() const {
        const auto reply = call("GET", party);
        return *json::parse(reply.body).value().find("replanned")->boolean();
    }
};

}  // namespace

TEST_CASE("a type added over the API is delivered at its time with its text (M18)") {
    Running running;
    auto& system = running.system;
    running.add_type(R"(, "sendAt": "10:00")");
    running.add_guest();
    system.set_clock("2027-03-10T09:59:59Z");
    REQUIRE(system.sent(1));
    CHECK(system.compare() == Comparison{.delivered = 1});
    const auto requests = system.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].email == "ada@example.org");
    CHECK(requests[0].message == "Party, Ada: 7 years!");
    CHECK(system.instant_of(requests[0]) >= domain::parse_instant("2027-03-10T10:00:00Z"));
}

TEST_CASE("a new send time moves what is planned, and a new text is that of what is sent next (M18)") {
    Running running;
    auto& system = running.system;
    running.add_type(R"(, "sendAt": "18:00")");
    running.add_guest();
    running.add_guest("eve@example.org");
    for (const auto& row : system.ledger()) CHECK(row.local_time == "2027-03-10 18:00");
    running.change(R"({"sendAt": "09:00", "template": "Hurrah, {first_name}!"})");
    REQUIRE(eventually([&] { return running.is_replanned(); }));
    for (const auto& row : system.ledger()) CHECK(row.local_time == "2027-03-10 09:00");
    system.set_clock(nine);
    REQUIRE(system.sent(2));
    CHECK(system.compare() == Comparison{.delivered = 2});
    for (const auto& request : system.requests()) CHECK(request.message == "Hurrah, Ada!");
}

TEST_CASE("a paused type sends nothing until its pause is ended early (M18)") {
    Running running;
    auto& system = running.system;
    running.add_type();
    running.add_guest();
    system.add({});
    running.change(R"({"pausedUntil": "2027-03-11T09:00:00Z"})");
    system.set_clock(nine);
    // The other type's message has gone out, and this one's waits for the end of the pause.
    REQUIRE(system.sent(1));
    REQUIRE(eventually([&] { return metric(running.scheduler, "messages_postponed_total") == 1; }));
    CHECK(system.requests().size() == 1);
    CHECK(system.requests().front().message.find("birthday") != std::string::npos);
    running.change(R"({"pausedUntil": null})");
    REQUIRE(system.sent(2));
    CHECK(system.requests().size() == 2);
    CHECK(running.is_replanned());
}

TEST_CASE("a deleted type sends nothing, and then its name and its dates are free (M18)") {
    Running running;
    auto& system = running.system;
    running.add_type();
    const auto guest = running.add_guest();
    REQUIRE(system.ledger().size() == 1);
    REQUIRE(running.call("DELETE", party).status == 204);
    CHECK(running.call("GET", party).status == 404);
    CHECK(running.call("GET", guest + "/occasions").body == R"({"items":[]})");
    const std::string again = R"({"name": "PARTY", "template": "Another party"})";
    REQUIRE(eventually([&] { return running.call("POST", types, again).status == 201; }));
    CHECK(system.ledger().empty());
    CHECK(running.call("GET", guest + "/occasions").body == R"({"items":[]})");
    system.add({});
    system.set_clock(nine);
    REQUIRE(system.sent(1));
    CHECK(system.requests().size() == 1);
}
