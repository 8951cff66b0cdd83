#include "libcore/postgres/server_addresses.hpp"

#include <libpq-fe.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <memory>

#include "libcore/postgres/libpq.hpp"

namespace postgres {

namespace {

constexpr std::array lists{"host", "hostaddr", "port"};

bool is_address(const std::string& host) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
    freeaddrinfo(found);
    return true;
}

std::string value_of(const UrlOptions& options, const char* name) {
    const auto found = options.find(name);
    return found == options.end() ? "" : found->second;
}

}  // namespace

std::optional<std::string> name_to_look_up(const UrlOptions& server) {
    auto host = value_of(server, "host");
    const bool is_socket = host.empty() || host.front() == '/' || host.front() == '@';
    if (is_socket || !value_of(server, "hostaddr").empty() || is_address(host)) return std::nullopt;
    return host;
}

UrlOptions with_usual_servers(UrlOptions options) {
    if (!value_of(options, "hostaddr").empty()) return options;
    if (!value_of(options, "host").empty() && std::ranges::none_of(servers_of(options), [](const auto& it) {
            return name_to_look_up(it).has_value();
        }))
        return options;

    std::vector<const char*> names, values;
    for (const auto& [name, value] : options) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    // With this it reads all that it would, and then refuses to connect.
    names.insert(names.end(), {"sslmode", nullptr});
    values.insert(values.end(), {"none of these", nullptr});
    const LibpqConnection unconnected(PQconnectStartParams(names.data(), values.data(), 0));
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> all(PQconninfo(unconnected.get()),
                                                                           PQconninfoFree);
    for (const PQconninfoOption* option = all.get(); option && option->keyword; ++option)
        if (option->val && std::ranges::find(lists, std::string_view(option->keyword)) != lists.end())
            options[option->keyword] = option->val;
    return options;
}

UrlOptions as_one(const std::vector<UrlOptions>& servers) {
    UrlOptions all = servers.front();
    for (const char* list : lists) {
        std::string joined;
        for (const UrlOptions& server : servers)
            joined += (&server == &servers.front() ? "" : ",") + value_of(server, list);
        all[list] = joined;
    }
    return all;
}

}  // namespace postgres
