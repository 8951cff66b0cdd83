// `/circuit` on the operations port: how the circuit is, and an operator's orders to it. Thread-safe; there
// before the lanes are, and after them.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "libcore/domain/result.hpp"
#include "libcore/json/value.hpp"
#include "libcore/runtime/ops_server.hpp"
#include "services/worker/gate.hpp"

namespace worker {

/// `{"state": "open"|"closed", "for": "10m"}` or `{"state": "auto"}`.
domain::Result<CircuitOrder> decode_circuit_order(const json::Value& body);
/// Instants by the wall clock, which shows `wall` at the report's moment.
std::string encode(const CircuitReport& report, domain::Instant wall);

class CircuitDesk {
public:
    /// Does as ordered, if there is an order, and tells how things are then; nothing if it does not, nor
    /// will.
    using Ask = std::function<std::optional<CircuitReport>(const std::optional<CircuitOrder>&)>;

    /// While it lives, there are lanes to ask. One at a time; dies before they do.
    class Service {
    public:
        Service(CircuitDesk& desk, Ask ask) : desk_(desk) { desk_.serve(std::move(ask)); }
        Service(const Service&) = delete;
        Service& operator=(const Service&) = delete;
        ~Service() { desk_.serve({}); }

    private:
        CircuitDesk& desk_;
    };

    runtime::OpsRoute route();
    /// Never fails: a worker whose circuit is open is as ready as one that has nothing to do.
    runtime::Check check();

private:
    void serve(Ask ask);
    std::optional<CircuitReport> ask(const std::optional<CircuitOrder>& order);
    runtime::Reply answer(const std::optional<CircuitOrder>& order);

    std::mutex mutex_;
    Ask ask_;
};

}  // namespace worker
