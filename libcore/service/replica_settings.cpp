#include "libcore/service/replica_settings.hpp"

#include <algorithm>
#include <set>

#include "libcore/postgres/url.hpp"
#include "libcore/service/database_settings.hpp"

namespace service {

using namespace std::chrono_literals;
using runtime::AppEnv;
using runtime::Environment;

namespace {

constexpr auto url_name = "READ_REPLICA_URL";

// Whoever waits here for longer is served sooner by the primary.
constexpr std::chrono::milliseconds longest_wait = 100ms;
constexpr std::chrono::milliseconds longest_connect = 1s;

/// A comma inside a URL parts hosts, one before a URL parts URLs.
std::vector<std::string> split_urls(const std::string& text) {
    std::vector<std::string> urls;
    for (const auto& part : postgres::split_list(text)) {
        if (urls.empty() || part.starts_with("postgresql://") || part.starts_with("postgres://"))
            urls.push_back(part);
        else
            urls.back() += ',' + part;
    }
    return urls;
}

std::string name_of(const postgres::UrlOptions& server) {
    const auto said = [&](const char* name) {
        const auto found = server.find(name);
        return found == server.end() ? std::string() : found->second;
    };
    auto host = said("host").empty() ? said("hostaddr") : said("host");
    if (host.empty()) host = "localhost";
    return host + ":" + (said("port").empty() ? "5432" : said("port"));
}

}  // namespace

std::vector<ReplicaSettings> read_replica_settings(Environment& environment, AppEnv app_env,
                                                   const postgres::PoolSettings& primary) {
    const auto urls = environment.url(url_name);
    postgres::PoolSettings usual = primary;
    usual.max = environment.integer("READ_REPLICA_POOL_MAX", 10, 1, 500);
    usual.min = 0;
    usual.reserve = 0;
    usual.acquire_timeout = longest_wait;
    usual.circuit_failures = 0;  // whether it answers is looked at four times a second
    auto& connection = usual.connection;
    connection.connect_timeout = std::min(connection.connect_timeout, longest_connect);
    connection.query_timeout = environment.duration("READ_REPLICA_TIMEOUT", 2s, 100ms, 10min);
    connection.statement_timeout = std::min(connection.statement_timeout, connection.query_timeout);

    std::vector<ReplicaSettings> replicas;
    std::set<std::string> names;
    if (!urls) return replicas;
    for (const auto& url : split_urls(*urls)) {
        connection.url = url;
        connection.sslmode.clear();
        connection.sslrootcert.clear();
        read_server(environment, app_env, url_name, connection);
        if (postgres::problem_of_url(url)) continue;
        for (auto& server : postgres::servers_of(postgres::options_of_url(url))) {
            // Whether it is a replica is watched; one that is none is no reason to look for another.
            server["target_session_attrs"] = "any";
            auto& replica = replicas.emplace_back(name_of(server), usual);
            replica.pool.connection.url = postgres::to_conninfo(server);
            if (!names.insert(replica.name).second)
                environment.reject(url_name, "names " + replica.name + " twice");
        }
    }
    return replicas;
}

}  // namespace service
