#include "libcore/postgres/url.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>

namespace postgres {

namespace {

struct ParsedUrl {
    UrlOptions options;
    std::string problem;
};

/// libpq would repeat the parts of a malformed one.
ParsedUrl parse_url(const std::string& url) {
    char* problem = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(url.c_str(), &problem), PQconninfoFree);
    PQfreemem(problem);
    if (!parsed) return {{}, "is malformed"};

    UrlOptions options;
    for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option)
        if (option->val) options[option->keyword] = option->val;
    if (options["host"].find('@') != std::string::npos ||
        options["port"].find_first_not_of("0123456789,") != std::string::npos)
        return {{}, "is malformed; @ : / ? # in a password must be percent-encoded"};
    return {options, ""};
}

/// Nothing is the machine's own socket, a path is a socket.
bool is_local_host(const std::string& host) {
    return host.empty() || host.front() == '/' || host == "localhost" || host == "::1" ||
           host.starts_with("127.");
}

}  // namespace

std::optional<std::string> problem_of_url(const std::string& url) {
    auto problem = parse_url(url).problem;
    if (problem.empty()) return std::nullopt;
    return problem;
}

UrlOptions options_of_url(const std::string& url) {
    return parse_url(url).options;
}

bool is_local(const UrlOptions& options) {
    return std::ranges::all_of(std::array{"host", "hostaddr"}, [&](const char* list) {
        const auto given = options.find(list);
        return given == options.end() || std::ranges::all_of(split_list(given->second), is_local_host);
    });
}

std::vector<UrlOptions> servers_of(const UrlOptions& options) {
    constexpr std::array lists{"host", "hostaddr", "port"};
    std::size_t servers = 1;
    for (const char* list : lists)
        if (const auto found = options.find(list); found != options.end())
            servers = std::max(servers, split_list(found->second).size());

    std::vector<UrlOptions> each(servers, options);
    for (const char* list : lists) {
        const auto found = options.find(list);
        if (found == options.end()) continue;
        const auto parts = split_list(found->second);
        for (std::size_t server = 0; server < servers; ++server)
            each[server][list] = parts[std::min(server, parts.size() - 1)];
    }
    return each;
}

std::string to_conninfo(const UrlOptions& options) {
    std::string text;
    for (const auto& [name, value] : options) {
        text += (text.empty() ? "" : " ") + name + "='";
        for (const char character : value) {
            if (character == '\'' || character == '\\') text += '\\';
            text += character;
        }
        text += '\'';
    }
    return text;
}

std::vector<std::string> split_list(const std::string& list) {
    std::vector<std::string> parts{""};
    for (const char character : list)
        character == ',' ? (void)parts.emplace_back() : parts.back().push_back(character);
    return parts;
}

}  // namespace postgres
