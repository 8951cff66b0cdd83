#include "libcore/service/process.hpp"

namespace service {

using namespace std::chrono_literals;

runtime::log::Options read_log_options(runtime::Environment& environment, const std::string& service) {
    runtime::log::Options options{.service = service, .instance = {}};
    const std::string level =
        environment.choice("LOG_LEVEL", "info", {"debug", "info", "warn", "error", "fatal"});
    options.level = runtime::log::parse_level(level).value_or(runtime::log::Level::info);
    options.readable = environment.choice("LOG_FORMAT", "json", {"json", "text"}) == "text";
    return options;
}

namespace {

std::string read_admin_token(runtime::Environment& environment) {
    constexpr std::size_t shortest = 16;
    const std::string token = environment.secret("ADMIN_TOKEN").value_or("");
    if (!token.empty() && token.size() < shortest) {
        environment.reject("ADMIN_TOKEN", "is too easy to guess: at least 16 characters");
    }
    return token;
}

}  // namespace

runtime::OpsServer::Settings read_ops_settings(runtime::Environment& environment,
                                               std::uint16_t default_port) {
    runtime::OpsServer::Settings settings;
    settings.bind = environment.text("OPS_BIND", "127.0.0.1");
    settings.port = static_cast<std::uint16_t>(environment.integer("OPS_PORT", default_port, 0, 65'535));
    settings.admin_token = read_admin_token(environment);
    return settings;
}

std::chrono::milliseconds read_shutdown_grace(runtime::Environment& environment) {
    return environment.duration("SHUTDOWN_GRACE", 25s, 1s, 10min);
}

// The default is many times what the longest call may take: a connection, a statement, and their repetition.
std::chrono::milliseconds read_stuck_after(runtime::Environment& environment) {
    return environment.duration("STUCK_AFTER", 5min, 1s, 24h);
}

std::chrono::milliseconds read_lease(runtime::Environment& environment) {
    return environment.duration("DELIVERY_LEASE", 30s, 500ms, 10min);
}

std::chrono::milliseconds read_key_life(runtime::Environment& environment) {
    return environment.duration("PROVIDER_KEY_LIFE", 24h, 0s, 24h * 365);
}

domain::InDoubt read_in_doubt(runtime::Environment& environment) {
    const std::string choice = environment.choice("PROVIDER_IN_DOUBT", "resend", {"resend", "park"});
    return choice == "park" ? domain::InDoubt::park : domain::InDoubt::resend;
}

}  // namespace service
