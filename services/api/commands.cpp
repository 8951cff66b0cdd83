#include "services/api/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "libcore/postgres/api_keys_table.hpp"
#include "libcore/postgres/migrator.hpp"
#include "services/api/api_key.hpp"
#include "services/api/random.hpp"

namespace api {

namespace {

using runtime::Arguments;

std::string text_or(const std::optional<domain::Instant>& instant, const char* otherwise) {
    return instant ? domain::to_string(*instant) : otherwise;
}

int show_migrations(const std::string& url) {
    for (const auto& state : postgres::migration_status(url)) {
        fmt::print("{:04}  {:<30}  {}\n", state.version, state.name, text_or(state.applied_at, "pending"));
    }
    return runtime::exit_ok;
}

int migrate(const Settings& settings, const Arguments& arguments) {
    if (arguments.count("status") != 0) return show_migrations(settings.unpooled_url);
    const auto report = postgres::migrate(settings.unpooled_url);
    for (const auto& name : report.applied) fmt::print("applied {}\n", name);
    fmt::print("the schema is at version {}\n", report.to);
    return runtime::exit_ok;
}

postgres::Pool open_pool(const Settings& settings) {
    auto pool = settings.pool;
    pool.max = 1;
    pool.min = 0;
    return postgres::Pool(std::move(pool));
}

std::vector<std::string> split(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> parts;
    for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
    return parts;
}

int create_key(const Settings& settings, const Arguments& arguments) {
    const auto scopes = split(arguments.at("scopes"));
    for (const auto& scope : scopes) {
        if (std::find(known_scopes.begin(), known_scopes.end(), scope) == known_scopes.end()) {
            fmt::print(stderr, "There is no scope '{}'. Scopes are: {}\n", scope,
                       fmt::join(known_scopes, ", "));
            return runtime::exit_configuration;
        }
    }
    auto pool = open_pool(settings);
    const auto key = make_key(arguments.at("name"), scopes);
    postgres::insert_api_key(pool, new_uuid(), key.row);
    // The key alone goes to stdout, for scripts.
    fmt::print("{}\n", key.text);
    fmt::print(stderr, "This key is shown only now. To take it back: api-svc keys revoke --prefix {}\n",
               key.row.prefix);
    return runtime::exit_ok;
}

int list_keys(const Settings& settings) {
    auto pool = open_pool(settings);
    for (const auto& key : postgres::all_api_keys(pool)) {
        fmt::print("{}  {:<20}  {:<40}  {}  last used: {}\n", key.prefix, key.name,
                   fmt::format("{}", fmt::join(key.scopes, ",")),
                   key.revoked_at ? "revoked " + domain::to_string(*key.revoked_at)
                                  : "expires: " + text_or(key.expires_at, "never"),
                   text_or(key.last_used_at, "never"));
    }
    return runtime::exit_ok;
}

int revoke_key(const Settings& settings, const Arguments& arguments) {
    auto pool = open_pool(settings);
    if (postgres::revoke_api_key(pool, arguments.at("prefix"))) return runtime::exit_ok;
    fmt::print(stderr, "There is no live key with that prefix.\n");
    return runtime::exit_failure;
}

}  // namespace

runtime::Program program(const Settings& settings) {
    using Option = runtime::CommandOption;
    return {
        .name = "api-svc",
        .summary = "Users and their messages over HTTP.",
        .commands = {
            {{"migrate"},
             "Bring the database to this program's schema.",
             {{"status", "Only show what is applied and what is pending", Option::flag}},
             [&](const Arguments& arguments) { return migrate(settings, arguments); }},
            {{"keys", "create"},
             "Make a key and print it.",
             {{"name", "Whose key it is", Option::required},
              {"scopes", fmt::format("Of {}", fmt::join(known_scopes, ",")), Option::required}},
             [&](const Arguments& arguments) { return create_key(settings, arguments); }},
            {{"keys", "list"}, "Show all keys.", {}, [&](const Arguments&) { return list_keys(settings); }},
            {{"keys", "revoke"},
             "Close the door to a key; takes effect within seconds.",
             {{"prefix", "The key's public part", Option::required}},
             [&](const Arguments& arguments) { return revoke_key(settings, arguments); }},
        }};
}

}  // namespace api
