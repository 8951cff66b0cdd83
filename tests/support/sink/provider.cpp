#include "tests/support/sink/provider.hpp"

#include <algorithm>
#include <charconv>

#include "libcore/json/parser.hpp"
#include "libcore/json/problem.hpp"
#include "libcore/json/writer.hpp"

namespace sink {
namespace {

Reply refusal(int status, std::string_view text) {
    return {status,
            json::Writer().begin_object().member("success", false).member("error", text).end_object().take()};
}

Reply page(json::Writer& writer) {
    return {200, writer.take()};
}

void write(json::Writer& writer, const Entry& entry) {
    writer.begin_object()
        .member("sequence", entry.sequence)
        .member("received_at", entry.received_at)
        .member("key", entry.key)
        .member("email", entry.email)
        .member("message", entry.message)
        .member("status", entry.status)
        .member("delivered", entry.delivered)
        .member("repeat", entry.repeat)
        .end_object();
}

Reply entries_page(const std::vector<Entry>& entries) {
    json::Writer writer;
    writer.begin_object().key("entries").begin_array();
    for (const auto& entry : entries) write(writer, entry);
    writer.end_array().end_object();
    return page(writer);
}

Reply summary_page(const Summary& summary) {
    json::Writer writer;
    writer.begin_object()
        .member("requests", summary.requests)
        .member("delivered", summary.delivered)
        .member("distinct_keys", summary.distinct_keys)
        .member("repeats", summary.repeats)
        .key("by_status")
        .begin_object();
    for (const auto& [status, count] : summary.by_status) {
        writer.member(status == 0 ? "unanswered" : std::to_string(status), count);
    }
    writer.end_object().member("first_at", summary.first_at).member("last_at", summary.last_at).end_object();
    return page(writer);
}

/// The number behind `name=` in a query, or what stands for it when it is absent or no number.
std::uint64_t parameter(std::string_view query, std::string_view name, std::uint64_t otherwise) {
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (!pair.starts_with(name) || pair.substr(name.size(), 1) != "=") continue;
        const auto text = pair.substr(name.size() + 1);
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        return error == std::errc{} && end == text.data() + text.size() ? number : otherwise;
    }
    return otherwise;
}

/// Takes over what the body says; false when that is not what the contract asks for.
bool read_email(std::string_view body, Entry& entry) {
    constexpr json::Limits limits{1024 * 1024, 8, 64};
    const auto document = json::parse(body, limits);
    if (!document) return false;
    const auto* email = document->find("email");
    const auto* message = document->find("message");
    if (!email || !email->string() || email->string()->empty() || !message || !message->string())
        return false;
    entry.email = *email->string();
    entry.message = *message->string();
    return true;
}

std::string repeated(const std::string& text, std::uint64_t times) {
    std::string all;
    all.reserve(text.size() * times);
    for (; times > 0; --times) all += text;
    return all;
}

}  // namespace

Reply Provider::reply(const Request& request, domain::Instant now) {
    const auto path = request.target.substr(0, request.target.find('?'));
    const auto query = request.target.substr(std::min(request.target.size(), path.size() + 1));
    const auto is = [&](std::string_view method, std::string_view expected_path) {
        return request.method == method && path == expected_path;
    };

    if (is("POST", "/send-email")) return send_email(request, now);
    if (is("GET", "/ledger/summary")) return summary_page(ledger.summary());
    if (is("GET", "/ledger")) {
        const auto limit = std::min<std::uint64_t>(parameter(query, "limit", 1000), 10'000);
        return entries_page(ledger.entries(parameter(query, "after", 0), limit));
    }
    constexpr std::string_view by_key = "/ledger/by-key/";
    if (request.method == "GET" && path.starts_with(by_key)) {
        return entries_page(ledger.by_key(path.substr(by_key.size())));
    }
    if (is("DELETE", "/ledger")) {
        ledger.clear();
        return {204, ""};
    }
    if (is("GET", "/script")) return {200, script.json()};
    if (is("PUT", "/script")) return put_script(request.body);
    return refusal(404, "no such page");
}

/// A token that is asked for is a secret, and the same in every request.
std::string_view Provider::client_of(const Request& request) const {
    constexpr std::string_view bearer = "Bearer ";
    if (!policy_.token.empty() || !request.authorization.starts_with(bearer)) return {};
    return request.authorization.substr(bearer.size());
}

Reply Provider::send_email(const Request& request, domain::Instant now) {
    if (ledger.full()) return refusal(507, "the ledger is full; DELETE /ledger empties it");

    Entry entry;
    entry.received_at = now;
    entry.key = request.key;
    entry.client = client_of(request);
    const auto understood = read_email(request.body, entry);
    const auto earlier = ledger.delivery(entry.key);
    entry.repeat = earlier.has_value();

    Reply reply{200, R"({"success":true})"};
    if (!policy_.token.empty() && request.authorization != "Bearer " + policy_.token) {
        reply = refusal(401, "a valid bearer token is required");
    } else if (entry.key.empty()) {
        reply = refusal(400, "Idempotency-Key is required");
    } else if (!understood) {
        reply = refusal(400, "a JSON object with the strings email and message is required");
    } else if (const auto rule = script.for_request(entry.key, entry.email)) {
        const bool succeeds = rule->status / 100 == 2 && !rule->success_false;
        if (!succeeds) reply.body = R"({"success":false})";
        if (!rule->body.empty()) reply.body = repeated(rule->body, rule->repeat);
        entry.delivered = succeeds && !(earlier && policy_.idempotent);
        reply = {rule->status, reply.body, rule->headers, rule->delay, rule->drip, rule->drop};
    } else if (earlier && policy_.idempotent) {
        if (earlier->status != 0) reply.status = earlier->status;
    } else {
        entry.delivered = true;
    }
    entry.status = reply.drop ? 0 : reply.status;
    ledger.record(entry);
    return reply;
}

Reply Provider::put_script(std::string_view json) {
    auto parsed = Script::parse(json);
    if (!parsed) return {400, json::encode({400, "validation_failed", "not a script", parsed.errors()}, "")};
    script = *std::move(parsed);
    Reply reply{204, ""};
    reply.outage = script.outage();
    return reply;
}

}  // namespace sink
