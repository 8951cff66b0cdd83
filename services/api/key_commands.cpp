#include "services/api/key_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "libcore/postgres/pool.hpp"
#include "services/api/api_key.hpp"
#include "services/api/key_arguments.hpp"

namespace api {

namespace {

using runtime::Arguments;
using Cells = std::vector<std::string>;

domain::Instant now() {
    return std::chrono::floor<domain::Instant::duration>(std::chrono::system_clock::now());
}

postgres::Pool open_pool(const Settings& settings) {
    auto pool = settings.pool;
    pool.max = 1;
    pool.min = 0;
    return postgres::Pool(std::move(pool));
}

int no_live_key() {
    fmt::print(stderr, "There is no live key with that prefix.\n");
    return runtime::exit_failure;
}

/// The key alone goes to stdout, for scripts.
void show_once(const NewKey& key) {
    fmt::print("{}\n", key.text);
    fmt::print(stderr, "This key is shown only now. To take it back: api-svc keys revoke --prefix {}\n",
               key.identity.prefix);
}

int create_key(const Settings& settings, const Arguments& arguments) {
    auto row = read_new_key(arguments, now());
    if (!row) {
        const auto& error = row.errors().front();
        fmt::print(stderr, "--{} {}.\n", error.field, error.text);
        return runtime::exit_configuration;
    }
    const auto key = make_key();
    row->prefix = key.identity.prefix;
    row->secret_sha256 = key.identity.secret_sha256;
    auto pool = open_pool(settings);
    postgres::insert_api_key(pool, key.identity.id, *row);
    show_once(key);
    return runtime::exit_ok;
}

std::string to_the_minute(const std::optional<domain::Instant>& instant) {
    return instant ? domain::to_string(std::chrono::floor<std::chrono::minutes>(*instant)).substr(0, 16) + "Z"
                   : "never";
}

std::string end_of(const postgres::ApiKey& key) {
    if (key.revoked_at) return "revoked " + to_the_minute(key.revoked_at);
    if (!key.expires_at) return "never";
    const bool past = key.expires_in->count() <= 0;
    return (past ? "expired " : "expires ") + to_the_minute(key.expires_at);
}

/// By code points, which is near enough to what a terminal shows.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void print_table(const std::vector<Cells>& lines) {
    std::vector<std::size_t> widths(lines.front().size());
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i)
            text += line[i] + std::string(widths[i] - width(line[i]) + 2, ' ');
        fmt::print("{}\n", text.substr(0, text.find_last_not_of(' ') + 1));
    }
}

int list_keys(const Settings& settings) {
    auto pool = open_pool(settings);
    std::vector<Cells> lines{{"PREFIX", "NAME", "SCOPES", "LIMITS", "CREATED", "ENDS", "LAST USED"}};
    for (const auto& key : postgres::all_api_keys(pool)) {
        lines.push_back({key.prefix, key.name, fmt::format("{}", fmt::join(key.scopes, ",")),
                         key.limits.value_or("default"), to_the_minute(key.created_at), end_of(key),
                         to_the_minute(key.last_used_at)});
    }
    print_table(lines);
    return runtime::exit_ok;
}

int revoke_key(const Settings& settings, const Arguments& arguments) {
    auto pool = open_pool(settings);
    return postgres::revoke_api_key(pool, arguments.at("prefix")) ? runtime::exit_ok : no_live_key();
}

int rotate_key(const Settings& settings, const Arguments& arguments) {
    constexpr std::chrono::seconds usual_grace = std::chrono::hours(24);
    const auto given = arguments.find("grace");
    const auto grace = given == arguments.end() ? usual_grace : parse_span(given->second);
    if (!grace) {
        fmt::print(stderr, "--grace must be a time such as 24h, 15m or 0.\n");
        return runtime::exit_configuration;
    }
    const auto key = make_key();
    auto pool = open_pool(settings);
    if (!postgres::rotate_api_key(pool, arguments.at("prefix"), key.identity, *grace)) return no_live_key();
    show_once(key);
    return runtime::exit_ok;
}

}  // namespace

std::vector<runtime::Command> key_commands(const Settings& settings) {
    using Option = runtime::CommandOption;
    const Option prefix{"prefix", "The key's public part", Option::required};
    return {
        {{"keys", "create"},
         "Make a key and print it.",
         {{"name", "Whose key it is", Option::required},
          {"scopes", fmt::format("Of {}", fmt::join(known_scopes, ",")), Option::required},
          {"expires", "After a time such as 90d, or at 2027-03-01T00:00:00Z; never if not given"},
          {"limits",
           "Requests in a window, such as create=600,read=10000, or none, instead of the defaults"}},
         [&](const Arguments& arguments) { return create_key(settings, arguments); }},
        {{"keys", "list"}, "Show all keys.", {}, [&](const Arguments&) { return list_keys(settings); }},
        {{"keys", "revoke"},
         "Close the door to a key; takes effect within seconds.",
         {prefix},
         [&](const Arguments& arguments) { return revoke_key(settings, arguments); }},
        {{"keys", "rotate"},
         "Make a key like another and print it; the other one ends after the grace.",
         {prefix, {"grace", "Such as 24h, which is usual; 0 ends it at once"}},
         [&](const Arguments& arguments) { return rotate_key(settings, arguments); }},
    };
}

}  // namespace api
