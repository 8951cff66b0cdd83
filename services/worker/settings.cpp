#include "services/worker/settings.hpp"

#include <algorithm>

#include "libcore/domain/slots.hpp"
#include "libcore/service/broker.hpp"
#include "libcore/service/database_settings.hpp"
#include "libcore/service/process.hpp"

namespace worker {

using namespace std::chrono_literals;

namespace {

ProviderSettings read_provider(runtime::Environment& environment) {
    ProviderSettings provider;
    const std::string text = environment.required_url("PROVIDER_URL");
    if (const auto url = http::parse_url(text)) {
        provider.url = *url;
    } else if (!text.empty()) {
        environment.reject("PROVIDER_URL", "is not an http or https URL without user, query and fragment");
    }
    provider.token = environment.secret("PROVIDER_TOKEN").value_or("");
    provider.ca_file = environment.text("PROVIDER_CA_FILE", "");
    provider.timeout = environment.duration("PROVIDER_TIMEOUT", 10s, 50ms, 2min);
    provider.key_life = service::read_key_life(environment);
    return provider;
}

domain::Allowlist read_recipients(runtime::Environment& environment, runtime::AppEnv app_env) {
    const std::string list = environment.text("RECIPIENT_ALLOWLIST", "");
    if (list.empty()) {
        if (app_env == runtime::AppEnv::staging) {
            environment.warn("RECIPIENT_ALLOWLIST", "is not set in staging: messages go to everybody");
        }
        return {};
    }
    if (app_env == runtime::AppEnv::production) {
        environment.warn("RECIPIENT_ALLOWLIST", "is set in production: messages to others are cancelled");
    }
    auto recipients = domain::Allowlist::parse(list);
    if (!recipients) {
        environment.reject("RECIPIENT_ALLOWLIST",
                           "is not a list of patterns such as *@example.org,ada@example.com, without spaces");
    }
    return std::move(recipients).value_or(domain::Allowlist());
}

RateSettings read_rate(runtime::Environment& environment, const std::string& queue_prefix) {
    RateSettings rate{.limit = {}, .redis = {}, .key = queue_prefix + ":provider_slots"};
    if (const auto text = environment.text("PROVIDER_RATE_LIMIT", ""); !text.empty()) {
        rate.limit = domain::parse_rate(text);
        if (!rate.limit) {
            environment.reject("PROVIDER_RATE_LIMIT", "must be requests a second from 1/s to 100000/s");
        }
    }
    if (const auto text = environment.url("REDIS_URL")) {
        rate.redis = redis::parse_url(*text);
        if (!rate.redis) {
            environment.reject(
                "REDIS_URL", "is not of the form redis://user:password@host:port/database (there is no TLS)");
        }
    }
    return rate;
}

}  // namespace

std::uint16_t Settings::prefetch() const {
    const int of_lanes = std::clamp(lanes * 50, 100, 2'000);
    if (!rate.limit) return static_cast<std::uint16_t>(of_lanes);
    const auto of_a_lease = std::chrono::nanoseconds(lease) / rate.limit->interval();
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>(of_a_lease, 1, of_lanes));
}

Settings read_settings(runtime::Environment& environment) {
    Settings settings;
    settings.app_env = environment.app_env();
    settings.log = service::read_log_options(environment, "worker-svc");
    settings.database = service::read_database_settings(
        environment, settings.app_env,
        {.application = "worker-svc", .kind = service::PoolUser::loops, .size = {.max = 4, .min = 1}});
    settings.connection_budget =
        service::read_connection_budget(environment, {.worker = settings.database.max});
    // A plan cached while a partition was empty must not scan it once it is full.
    settings.database.connection.session = {{"enable_seqscan", "off"}, {"jit", "off"}};
    // A hint may arrive before its dispatcher has committed: worth a short wait.
    settings.database.connection.lock_timeout = 250ms;
    settings.broker = service::read_broker_settings(environment, "worker-svc");
    settings.provider = read_provider(environment);
    settings.rate = read_rate(environment, settings.broker.topology.prefix);
    settings.recipients = read_recipients(environment, settings.app_env);
    settings.in_doubt = service::read_in_doubt(environment);
    settings.lanes = environment.integer("QUEUE_CONCURRENCY", 5, 1, 256);
    settings.lease = service::read_lease(environment);
    if (settings.lease < 2 * settings.provider.timeout) {
        environment.reject("DELIVERY_LEASE", "must be at least twice PROVIDER_TIMEOUT");
    }
    settings.ops = service::read_ops_settings(environment, 9102);
    settings.shutdown_grace = service::read_shutdown_grace(environment);
    settings.stuck_after = service::read_stuck_after(environment);
    return settings;
}

}  // namespace worker
