// The operations port of a service: /livez, /readyz, /metrics, and what the service adds. Open from the
// first moment, also while the service waits for what it needs. Everybody who reaches it may look.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "libcore/runtime/http_server.hpp"
#include "libcore/runtime/metrics.hpp"
#include "libcore/runtime/readiness.hpp"

namespace runtime {

struct OpsRoute {
    std::string path;
    std::function<Reply(const Request&)> get;
    std::function<Reply(const Request&)> post = {};  ///< changes something; empty: there is nothing to change
};

class OpsServer {
public:
    struct Settings {
        std::string bind = "127.0.0.1";
        std::uint16_t port = 0;
        /// Whoever wants to change something has to show it, wherever they are. Empty: only programs of this
        /// machine may, and no browser.
        std::string admin_token = {};
        std::chrono::milliseconds check_timeout{2000};
        std::chrono::milliseconds check_interval{1000};
    };

    /// What the service gives it; everything here outlives the server.
    struct Parts {
        Registry& registry;
        std::stop_token stopping = {};  ///< once requested, /readyz is 503
        std::vector<Check> checks = {};
        std::function<CheckResult()> alive = {};  ///< quick; not ok means: restart this process
        std::vector<OpsRoute> routes = {};
    };

    OpsServer(const Settings& settings, Parts parts);
    OpsServer(const OpsServer&) = delete;
    OpsServer& operator=(const OpsServer&) = delete;
    ~OpsServer();

    std::uint16_t port() const;
    /// The service has begun to work. Until then /readyz is 503, whatever the checks say, and shows them.
    void started();
    /// A second call does nothing.
    void stop();

private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace runtime
