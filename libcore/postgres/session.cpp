#include "libcore/postgres/session.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <string_view>

#include "libcore/postgres/url.hpp"

namespace postgres {

namespace {

// The server tells its clients unasked what this is. It says YMD nowhere but here, and it makes no difference
// to dates as we write them.
constexpr auto date_style = "ISO, YMD";

std::string quoted(std::string_view text) {
    std::string quoted = "'";
    for (const char character : text) {
        quoted += character;
        if (character == '\'') quoted += character;
    }
    return quoted + '\'';
}

}  // namespace

SessionSettings session_settings(const ConnectionSettings& settings) {
    const auto limit = [](std::chrono::milliseconds value) { return std::to_string(value.count()); };
    SessionSettings all{{"TimeZone", "UTC"},
                        {"DateStyle", date_style},
                        {"IntervalStyle", "postgres"},
                        {"statement_timeout", limit(settings.statement_timeout)},
                        {"lock_timeout", limit(settings.lock_timeout)},
                        {"idle_in_transaction_session_timeout", limit(std::chrono::minutes(1))}};
    all.insert(all.end(), settings.session.begin(), settings.session.end());
    return all;
}

std::string as_options(const SessionSettings& settings) {
    std::string options;
    for (const auto& [name, value] : settings) {
        options += " -c " + name + "=";
        for (const char character : value) {
            if (character == ' ' || character == '\\') options += '\\';
            options += character;
        }
    }
    return options;
}

std::string as_query(const SessionSettings& settings) {
    std::string query;
    for (const auto& [name, value] : settings)
        query += (query.empty() ? "SELECT set_config(" : ", set_config(") + quoted(name) + ", " +
                 quoted(value) + ", true)";
    return query;
}

std::string as_script(const SessionSettings& settings) {
    std::string script;
    for (const auto& [name, value] : settings) {
        script += "SET LOCAL " + name + " TO ";
        const char* separator = "";
        for (const std::string& part : split_list(value)) {
            script += separator + quoted(part.substr(std::min(part.find_first_not_of(' '), part.size())));
            separator = ", ";
        }
        script += "; ";
    }
    return script;
}

bool has_taken_options(const pg_conn* connection) {
    const char* told = PQparameterStatus(connection, "DateStyle");
    return told && std::string_view(told) == date_style;
}

}  // namespace postgres
