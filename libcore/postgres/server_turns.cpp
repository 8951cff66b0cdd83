#include "libcore/postgres/server_turns.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "libcore/postgres/error.hpp"
#include "libcore/postgres/server_addresses.hpp"

namespace postgres {

namespace {

using Cause = DatabaseError::Cause;

/// libpq has to compare them.
bool are_compared(const UrlOptions& options) {
    const auto wanted = options.find("target_session_attrs");
    return wanted != options.end() && wanted->second == "prefer-standby";
}

/// libpq would wait with the first one that says nothing until the time is up, and never come to the next.
/// So each has a turn of its own, unless they have to stay together.
std::vector<std::vector<UrlOptions>> in_turns(const UrlOptions& options, bool together) {
    auto servers = servers_of(with_usual_servers(options));
    if (together) return {std::move(servers)};
    std::vector<std::vector<UrlOptions>> turns;
    for (UrlOptions& server : servers) turns.push_back({std::move(server)});
    return turns;
}

/// Each of so many has its share of the time that is left.
Deadline end_of_share(Deadline ends, std::size_t of) {
    const auto now = std::chrono::steady_clock::now();
    return ends == Deadline::max() ? ends : now + (ends - now) / static_cast<std::ptrdiff_t>(of);
}

DatabaseError not_found(const std::string& host, const HostAddresses* answer) {
    const std::string name = "host name \"" + host + "\"";
    if (!answer) return {Cause::deadline, "connect: no address for " + name + " in time"};
    return {Cause::connection, "connect: could not translate " + name + " to address: " + answer->problem};
}

}  // namespace

ServerTurns::ServerTurns(const UrlOptions& options, std::chrono::milliseconds limit,
                         std::shared_ptr<HostLookups> lookups)
    : host_lookups_(std::move(lookups)),
      together_(are_compared(options)),
      servers_(in_turns(options, together_)),
      deadline_(deadline_after(limit)) {
    turn_to_server(0);
}

void ServerTurns::turn_to_server(std::size_t server) {
    server_ = server;
    server_ends_ = end_of_share(deadline_, servers_.size() - server);
    lookups_.clear();
    addresses_.clear();
    // One that is not found in time must leave some for the others.
    ends_ = end_of_share(server_ends_, servers_[server].size() > 1 ? 2 : 1);
}

void ServerTurns::turn_to_address(std::size_t address) {
    address_ = address;
    ends_ = end_of_share(server_ends_, addresses_.size() - address);
}

bool ServerTurns::next() {
    if (std::chrono::steady_clock::now() >= deadline_) return false;
    if (!addresses_.empty() && address_ + 1 < addresses_.size())
        turn_to_address(address_ + 1);
    else if (server_ + 1 < servers_.size())
        turn_to_server(server_ + 1);
    else
        return false;
    return true;
}

void ServerTurns::extend(Deadline::duration by) {
    for (Deadline* const deadline : {&deadline_, &server_ends_, &ends_})
        if (*deadline != Deadline::max()) *deadline += by;
}

void ServerTurns::look_up() {
    auto& lookups = host_lookups_ ? *host_lookups_ : HostLookups::of_process();
    for (const UrlOptions& server : servers_[server_]) {
        const auto name = name_to_look_up(server);
        lookups_.push_back(name ? lookups.look_up(*name) : nullptr);
    }
}

const UrlOptions* ServerTurns::address(Deadline until, const std::stop_token& stop) {
    if (!addresses_.empty()) return &addresses_[address_];
    if (lookups_.empty()) look_up();
    std::vector<UrlOptions> found;
    std::optional<DatabaseError> problem;
    for (std::size_t i = 0; i < lookups_.size(); ++i) {
        const UrlOptions& server = servers_[server_][i];
        if (!lookups_[i]) {
            found.push_back(server);
            continue;
        }
        const HostAddresses* const answer = lookups_[i]->wait(std::min(until, ends_), stop);
        if (!answer && until < ends_ && !stop.stop_requested()) return nullptr;
        if (!answer || answer->addresses.empty()) {
            problem.emplace(not_found(server.at("host"), answer));
            continue;
        }
        for (const std::string& address : answer->addresses) found.emplace_back(server)["hostaddr"] = address;
    }
    if (found.empty()) throw DatabaseError(*problem);
    addresses_ = together_ ? std::vector{as_one(found)} : std::move(found);
    turn_to_address(0);
    return &addresses_.front();
}

}  // namespace postgres
