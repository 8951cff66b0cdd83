#include "libcore/runtime/health.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using runtime::CheckResult;
using runtime::OpsServer;

namespace {

int exit_code_of_health(const OpsServer& server, const std::string& bind) {
    return runtime::health_command({.bind = bind, .port = server.port()}).run({});
}

}  // namespace

TEST_CASE("health exits 0 once the service is ready, wherever it listens") {
    runtime::Registry registry("test");
    const std::string bind = GENERATE("127.0.0.1", "0.0.0.0", "::1", "[::1]", "::", "localhost");
    OpsServer server({.bind = bind}, {.registry = registry});
    CHECK(exit_code_of_health(server, bind) == 1);
    server.started();
    CHECK(exit_code_of_health(server, bind) == 0);
}

TEST_CASE("health exits 1 when a check of the service fails") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry, .checks = {{"broker", [] {
                                                                return CheckResult{false, "away"};
                                                            }}}});
    server.started();
    CHECK(exit_code_of_health(server, "127.0.0.1") == 1);
}

TEST_CASE("health exits 1 when nothing listens or the address is no address") {
    runtime::Registry registry("test");
    OpsServer server({}, {.registry = registry});
    const auto port = server.port();
    server.stop();
    CHECK_FALSE(runtime::is_ready({.bind = "127.0.0.1", .port = port}, 1s));
    CHECK_FALSE(runtime::is_ready({.bind = "no address", .port = port}, 1s));
}
