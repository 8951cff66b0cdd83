// http_requests_total, http_request_duration_seconds, http_requests_in_flight and
// http_requests_limited_total. Labels come from the route table, so that no client can invent one.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <vector>

#include "libcore/runtime/metrics.hpp"
#include "services/api/routes.hpp"

namespace api {

/// Thread-safe.
class RequestMetrics {
public:
    explicit RequestMetrics(runtime::Registry& registry);

    void begin() { in_flight_.Increment(); }
    /// `route` is null for a request that met none.
    /// `class_name`: of the request, or "none" for one without a valid key.
    void limited(std::string_view class_name);
    void end(const Route* route, int status, std::chrono::nanoseconds duration);

private:
    struct OfRoute {
        std::string route;
        std::string method;
        prometheus::Histogram* duration = nullptr;
        // Made when a status first occurs; the registry gives every maker the same one.
        std::array<std::atomic<prometheus::Counter*>, 600> by_status{};
    };

    prometheus::Counter& counter(OfRoute& of, int status);

    runtime::Registry& registry_;
    prometheus::Gauge& in_flight_;
    std::map<std::string, prometheus::Counter*, std::less<>> limited_;
    std::vector<OfRoute> of_routes_;  // in the table's order, then the one for requests without a route
};

}  // namespace api
