#include "libcore/runtime/ops_server.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "libcore/runtime/json_text.hpp"

namespace runtime {
namespace {

Reply status_reply(bool ok, std::string_view word, std::string_view detail) {
    Reply reply;
    reply.status = ok ? 200 : 503;
    reply.body = R"({"status":)";
    append_json_string(reply.body, word);
    if (!detail.empty()) {
        reply.body += R"(,"detail":)";
        append_json_string(reply.body, detail);
    }
    reply.body += '}';
    return reply;
}

Reply readiness_reply(const Readiness::Report& report, bool started) {
    Reply reply;
    reply.status = report.ready && started ? 200 : 503;
    reply.body = R"({"status":)";
    append_json_string(reply.body, !started ? "starting" : report.ready ? "ready" : "not_ready");
    reply.body += R"(,"checks":[)";
    for (const auto& [name, result] : report.checks) {
        if (reply.body.back() != '[') reply.body += ',';
        reply.body += R"({"name":)";
        append_json_string(reply.body, name);
        reply.body += result.ok ? R"(,"ok":true,"detail":)" : R"(,"ok":false,"detail":)";
        append_json_string(reply.body, result.detail);
        reply.body += '}';
    }
    reply.body += "]}";
    return reply;
}

}  // namespace

class OpsServer::Server {
public:
    Server(const Settings& settings, Parts parts)
        : parts_(std::move(parts)),
          readiness_(std::move(parts_.checks), settings.check_timeout, settings.check_interval),
          http_({.name = "ops",
                 .bind = settings.bind,
                 .port = settings.port,
                 .threads = 2,
                 .max_connections = 100,
                 .drain_timeout = settings.check_timeout},
                [this](const Request& request) { return answer(request); }) {}

    std::uint16_t port() const { return http_.port(); }
    void started() { started_ = true; }
    void stop() { http_.stop(); }

private:
    Reply answer(const Request& request) {
        if (request.path == "/livez") return get(request, [this](const Request&) { return live(); });
        if (request.path == "/readyz") return get(request, [this](const Request&) { return ready(); });
        if (request.path == "/metrics") return get(request, [this](const Request&) { return metrics(); });
        const auto route = std::ranges::find(parts_.routes, request.path, &OpsRoute::path);
        if (route == parts_.routes.end()) return problem(404, "There is nothing at this path", "not_found");
        return get(request, route->get);
    }

    template <class Answer>
    static Reply get(const Request& request, const Answer& answer) {
        if (request.method == "GET") return answer(request);
        auto reply = problem(405, "Only GET and HEAD are allowed here", "method_not_allowed");
        reply.headers = {{"Allow", "GET, HEAD"}};
        return reply;
    }

    Reply live() const {
        const auto result = parts_.alive ? parts_.alive() : CheckResult{};
        return status_reply(result.ok, result.ok ? "alive" : "stuck", result.detail);
    }

    Reply ready() {
        if (parts_.stopping.stop_requested()) return status_reply(false, "stopping", "");
        return readiness_reply(readiness_.report(), started_);
    }

    Reply metrics() const {
        Reply reply;
        reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
        reply.body = parts_.registry.text();
        return reply;
    }

    Parts parts_;
    std::atomic<bool> started_ = false;
    Readiness readiness_;
    HttpServer http_;
};

OpsServer::OpsServer(const Settings& settings, Parts parts)
    : server_(std::make_unique<Server>(settings, std::move(parts))) {}

OpsServer::~OpsServer() = default;

std::uint16_t OpsServer::port() const {
    return server_->port();
}

void OpsServer::started() {
    server_->started();
}

void OpsServer::stop() {
    server_->stop();
}

}  // namespace runtime
