#include "services/worker/circuit.hpp"

#include <utility>

#include "libcore/json/parser.hpp"
#include "libcore/json/problem.hpp"
#include "libcore/json/writer.hpp"

namespace worker {

using namespace std::chrono_literals;
using Breaker = domain::Breaker;

namespace {

constexpr auto shortest_hold = 1s;
// Nobody remembers a hold of yesterday.
constexpr auto longest_hold = 24h;

domain::Instant wall_clock() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

domain::Result<std::chrono::milliseconds> decode_length(const json::Value* value) {
    const std::string* text = value == nullptr ? nullptr : value->string();
    const auto length = text == nullptr ? std::nullopt : domain::parse_duration(*text);
    if (length && *length >= shortest_hold && *length <= longest_hold) return *length;
    return domain::Error{"invalid", "for", "must be a duration from 1s to 24h, such as 10m"};
}

std::string text_of(const domain::Errors& errors) {
    std::string text;
    for (const auto& error : errors) {
        text += (text.empty() ? "" : "; ") + error.field + (error.field.empty() ? "" : " ") + error.text;
    }
    return text;
}

runtime::Reply refusal(const domain::Errors& errors) {
    return {.status = 400,
            .content_type = "application/problem+json",
            .body = json::encode({400, "validation_failed", text_of(errors), errors}, "")};
}

}  // namespace

domain::Result<CircuitOrder> decode_circuit_order(const json::Value& body) {
    domain::Errors errors;
    if (body.object() == nullptr) return domain::Error{"wrong_type", "", "must be a JSON object"};
    for (const auto& [key, value] : *body.object()) {
        if (key != "state" && key != "for")
            errors.push_back({"unknown_field", key, "is not a field of this request"});
    }
    const json::Value* given = body.find("state");
    const std::string state = given != nullptr && given->string() ? *given->string() : "";
    CircuitOrder order;
    if (state == "open" || state == "closed") {
        order.hold = state == "open" ? Breaker::State::open : Breaker::State::closed;
        const auto length = decode_length(body.find("for"));
        if (length) order.length = *length;
        if (!length) errors.push_back(length.errors().front());
    } else if (state != "auto") {
        errors.push_back({"invalid", "state", "must be open, closed or auto"});
    } else if (body.find("for") != nullptr) {
        errors.push_back({"invalid", "for", "is for open and closed"});
    }
    if (!errors.empty()) return errors;
    return order;
}

std::string encode(const CircuitReport& report, domain::Instant wall) {
    const auto instant = [&](Breaker::Clock::time_point time) {
        return wall + std::chrono::floor<std::chrono::microseconds>(time - report.now);
    };
    const auto optional_instant = [&](const auto& time) {
        return time ? std::optional(instant(*time)) : std::nullopt;
    };
    const Breaker::Report& breaker = report.breaker;
    std::optional<std::string> cause;
    if (breaker.cause != Breaker::Cause::none) cause = to_string(breaker.cause);
    json::Writer writer;
    writer.begin_object()
        .member("state", to_string(breaker.state))
        .member("since", instant(breaker.since))
        .member("until", optional_instant(breaker.until))
        .member("openedLastBy", cause)
        .member("heldUntil", breaker.hold ? std::optional(instant(breaker.hold->until)) : std::nullopt)
        .member("callsInWindow", breaker.calls)
        .member("failuresInWindow", breaker.failures)
        .member("outagesInARow", breaker.outages)
        .member("pausedUntil", optional_instant(report.paused_until))
        .member("width", report.width)
        .end_object();
    return writer.take();
}

void CircuitDesk::serve(Ask ask) {
    const std::lock_guard lock(mutex_);
    ask_ = std::move(ask);
}

// Under the lock, so that whoever stops serving knows that nobody asks any more.
std::optional<CircuitReport> CircuitDesk::ask(const std::optional<CircuitOrder>& order) {
    const std::lock_guard lock(mutex_);
    return ask_ ? ask_(order) : std::nullopt;
}

runtime::Reply CircuitDesk::answer(const std::optional<CircuitOrder>& order) {
    const auto report = ask(order);
    if (!report) return runtime::problem(503, "The lanes do not answer", "lanes_unavailable");
    return {.body = encode(*report, wall_clock())};
}

runtime::OpsRoute CircuitDesk::route() {
    return {.path = "/circuit",
            .get = [this](const runtime::Request&) { return answer({}); },
            .post =
                [this](const runtime::Request& request) {
                    const auto body = json::parse(request.body);
                    if (!body) return refusal(body.errors());
                    const auto order = decode_circuit_order(*body);
                    return order ? answer(*order) : refusal(order.errors());
                }};
}

runtime::Check CircuitDesk::check() {
    return {"circuit", [this] {
                const auto report = ask({});
                if (!report) return runtime::CheckResult{true, "the lanes do not answer"};
                const auto& breaker = report->breaker;
                std::string detail = to_string(breaker.state);
                if (breaker.hold) {
                    const auto until = wall_clock() + std::chrono::floor<std::chrono::microseconds>(
                                                          breaker.hold->until - report->now);
                    detail += ", held by an operator until " + domain::to_string(until);
                } else if (breaker.state == Breaker::State::open) {
                    detail += std::string(", by ") + to_string(breaker.cause);
                }
                return runtime::CheckResult{true, detail};
            }};
}

}  // namespace worker
