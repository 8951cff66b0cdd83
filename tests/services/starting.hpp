// A service that has been started and need not become ready.
#pragma once

#include <algorithm>
#include <string>

#include "tests/support/http_client.hpp"
#include "tests/support/system/system.hpp"

class Starting {
public:
    Starting(const support::System& system, const std::string& program, support::Environment more)
        : ops_port_(support::free_port()), process_(program, {}, system.environment(with_ports(more))) {}

    /// Of the operations port; 0 while it is closed.
    support::HttpReply get(const std::string& path) const {
        try {
            return support::http_get(ops_port_, path);
        } catch (const std::runtime_error&) {
            return {};
        }
    }

    /// It is not ready, and says so with this text.
    bool waits_for(const std::string& text) const {
        return support::eventually([&] {
            const auto reply = get("/readyz");
            return reply.status == 503 && reply.body.find(text) != std::string::npos;
        });
    }

    bool is_ready(std::chrono::seconds within) const {
        return support::eventually([&] { return get("/readyz").status == 200; }, within);
    }

    /// Lines of its log with this text.
    long lines(const std::string& text) const {
        const auto log = process_.log();
        long count = 0;
        for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
        return count;
    }

    support::Process& process() { return process_; }

private:
    support::Environment with_ports(support::Environment environment) const {
        environment["OPS_PORT"] = std::to_string(ops_port_);
        environment["PORT"] = "0";
        return environment;
    }

    const int ops_port_;
    support::Process process_;
};
