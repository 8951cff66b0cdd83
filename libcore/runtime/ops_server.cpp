#include "libcore/runtime/ops_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
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

bool is_loopback(std::string_view address) {
    if (address.starts_with("::ffff:")) address.remove_prefix(7);
    return address == "::1" || address == "127.0.0.1";
}

/// As a program of this machine asks for it. A page whose name was made to lead to this machine asks for that
/// name, and so does a proxy that hands on what it was asked for.
bool is_own_name(std::string_view host) {
    const auto port = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
    const auto name = host.substr(0, port);
    return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

/// In a time that does not tell where they differ.
bool are_equal(std::string_view one, std::string_view other) {
    unsigned char difference = one.size() == other.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i)
        difference |= static_cast<unsigned char>(one[i] ^ other[i]);
    return difference == 0;
}

/// A page in a browser on this machine comes from loopback too, but its browser says so; a proxy tells of its
/// client, or of itself. What such a header says is no matter: it may be nothing.
constexpr std::array<std::string_view, 10> of_others{
    "Origin",          "Referer",           "Sec-Fetch-Site",   "Via",       "Forwarded",
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "X-Client-IP"};

bool is_of_this_machine(const Request& request) {
    return is_loopback(request.peer_address) && is_own_name(request.header("Host")) &&
           std::ranges::all_of(of_others, [&](auto name) { return request.all_headers(name).empty(); });
}

std::optional<Reply> objection(const Request& request, const std::string& admin_token) {
    if (admin_token.empty() && !is_of_this_machine(request)) {
        return problem(403, "Without an ADMIN_TOKEN changes are made on the machine itself", "forbidden");
    }
    if (!admin_token.empty() && !are_equal(request.header("Authorization"), "Bearer " + admin_token)) {
        auto reply = problem(401, "Changes need the admin token", "unauthorized");
        reply.headers = {{"WWW-Authenticate", "Bearer"}};
        return reply;
    }
    if (!request.header("Content-Type").starts_with("application/json")) {
        return problem(415, "The body must be application/json", "unsupported_media_type");
    }
    return std::nullopt;
}

}  // namespace

class OpsServer::Server {
public:
    Server(const Settings& settings, Parts parts)
        : parts_(std::move(parts)),
          admin_token_(settings.admin_token),
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
        return route->post ? change(request, *route) : get(request, route->get);
    }

    Reply change(const Request& request, const OpsRoute& route) {
        if (request.method != "POST") {
            auto reply = get(request, route.get);
            if (reply.status == 405) reply.headers = {{"Allow", "GET, HEAD, POST"}};
            return reply;
        }
        auto refused = objection(request, admin_token_);
        auto reply = refused ? *std::move(refused) : route.post(request);
        const std::string result = reply.status < 400 ? "made" : "refused";
        parts_.registry
            .counter("ops_changes_total", "Changes asked for on the operations port", {{"result", result}})
            .Increment();
        return reply;
    }

    template <class Answer>
    static Reply get(const Request& request, const Answer& answer) {
        if (request.method == "GET") return answer(request);
        auto reply = problem(405, "This method is not allowed here", "method_not_allowed");
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
    const std::string admin_token_;
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
