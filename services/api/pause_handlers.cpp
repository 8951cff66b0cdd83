#include "libcore/json/pause.hpp"
#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/postgres/pause_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

Answer get_pause(const Call& call) {
    const auto pause = postgres::current_pause(call.pool);
    const auto backlog = postgres::due_backlog(call.pool);
    const json::Waiting waiting{backlog.due, std::chrono::floor<std::chrono::seconds>(backlog.oldest_due)};
    return runtime::Reply{.body = json::encode(pause, waiting), .headers = {}};
}

// What is committed is told without another question to the database, which could fail.

Answer pause_deliveries(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto input = json::decode_pause(std::get<json::Value>(body));
    if (!input) return problem_of(input.errors());
    const auto paused = postgres::pause_deliveries(call.pool, call.actor, input->reason, input->until);
    if (!paused) return problem_of(paused.errors());
    return runtime::Reply{.body = json::encode(*paused), .headers = {}};
}

Answer resume_deliveries(const Call& call) {
    std::optional<std::string> reason;
    if (!call.request.body.empty()) {
        const auto body = read_body(call.request);
        if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
        const auto input = json::decode_resume(std::get<json::Value>(body));
        if (!input) return problem_of(input.errors());
        reason = *input;
    }
    postgres::resume_deliveries(call.pool, call.actor, reason);
    return runtime::Reply{.body = json::encode(std::nullopt), .headers = {}};
}

}  // namespace api
