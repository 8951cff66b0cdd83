#include "services/api/request_metrics.hpp"

#include "services/api/limits.hpp"

namespace api {

RequestMetrics::RequestMetrics(runtime::Registry& registry)
    : registry_(registry),
      in_flight_(registry.gauge("http_requests_in_flight", "Requests being answered.")),
      of_routes_(routes().size() + 1) {
    const auto count_limited = [&](std::string_view class_name) {
        limited_.emplace(class_name,
                         &registry.counter("http_requests_limited_total",
                                           "Requests refused with 429, by the class of their limit.",
                                           {{"class", std::string(class_name)}}));
    };
    for (const auto name : class_names) count_limited(name);
    count_limited("none");
    for (std::size_t i = 0; i < of_routes_.size(); ++i) {
        auto& of = of_routes_[i];
        const bool known = i < routes().size();
        of.route = known ? routes()[i].pattern : "none";
        of.method = known ? routes()[i].method : "any";
        of.duration =
            &registry.histogram("http_request_duration_seconds",
                                "Time from the request's last byte to its reply.", {{"route", of.route}});
    }
}

void RequestMetrics::limited(std::string_view class_name) {
    limited_.find(class_name)->second->Increment();
}

void RequestMetrics::end(const Route* route, int status, std::chrono::nanoseconds duration) {
    auto& of =
        route == nullptr ? of_routes_.back() : of_routes_[static_cast<std::size_t>(route - routes().data())];
    of.duration->Observe(std::chrono::duration<double>(duration).count());
    counter(of, status).Increment();
    in_flight_.Decrement();
}

prometheus::Counter& RequestMetrics::counter(OfRoute& of, int status) {
    auto& slot = of.by_status.at(static_cast<std::size_t>(status));
    if (auto* counter = slot.load()) return *counter;
    auto& made =
        registry_.counter("http_requests_total", "Requests answered.",
                          {{"route", of.route}, {"method", of.method}, {"status", std::to_string(status)}});
    slot.store(&made);
    return made;
}

}  // namespace api
