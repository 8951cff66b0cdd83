#include "libcore/postgres/session.hpp"

#include <chrono>
#include <string_view>

#include "libcore/postgres/url.hpp"

namespace postgres {

namespace {

// A parameter of our own, which no pooler and no server sets by itself.
constexpr auto mark = " -c tidings.told=yes";

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
                        {"DateStyle", "ISO"},
                        {"IntervalStyle", "postgres"},
                        {"statement_timeout", limit(settings.statement_timeout)},
                        {"lock_timeout", limit(settings.lock_timeout)},
                        {"idle_in_transaction_session_timeout", limit(std::chrono::minutes(1))}};
    all.insert(all.end(), settings.session.begin(), settings.session.end());
    return all;
}

std::string as_options(const SessionSettings& settings) {
    std::string options = mark;
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

const char* settings_probe() {
    return "SELECT current_setting('tidings.told', true)";
}

bool refuses_options(const DatabaseError& error) {
    const std::string_view text = error.what();
    const auto named = text.find("startup parameter");
    return error.sqlstate() == "08P01" && named != text.npos && text.find("options", named) != text.npos;
}

}  // namespace postgres
