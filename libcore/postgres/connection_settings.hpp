// What a connection is told: where the server is, and how long each thing may take.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace postgres {

class HostLookups;

/// A zero means no limit, everywhere.
struct ConnectionSettings {
    std::string url;
    std::string application_name = "tidings";
    /// As libpq knows them, where the URL does not say; empty leaves it to libpq.
    std::string sslmode{};
    std::string sslrootcert{};
    std::string target_session_attrs{};
    std::chrono::milliseconds connect_timeout{10'000};
    /// Enforced by the server; `query_timeout` is ours, for when the server is gone, and a little longer.
    std::chrono::milliseconds statement_timeout{15'000};
    std::chrono::milliseconds query_timeout{16'000};
    std::chrono::milliseconds lock_timeout{0};
    /// More of the session's settings, such as {"enable_seqscan", "off"}.
    std::map<std::string, std::string> session{};
    /// Who finds the addresses of hosts; null is the process.
    std::shared_ptr<HostLookups> host_lookups{};
};

}  // namespace postgres
