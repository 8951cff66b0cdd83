#include "libcore/runtime/stop_signal.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>

using namespace std::chrono_literals;
using runtime::StopSignal;

namespace {

/// A process that runs `body` and exits with what it returns; 99 after twenty seconds.
class Child {
public:
    explicit Child(const std::function<int(const std::function<void()>& ready)>& body) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            std::signal(SIGALRM, [](int) { ::_exit(99); });
            ::alarm(20);
            ::_exit(body([&] { (void)!::write(ends[1], "r", 1); }));
        }
        ::close(ends[1]);
        char byte = 0;
        REQUIRE(::read(ends[0], &byte, 1) == 1);
        ::close(ends[0]);
    }

    void send(int signal) const { ::kill(pid_, signal); }

    int exit_code() const {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("SIGTERM and SIGINT become a stop request and the process ends by itself") {
    const int signal = GENERATE(SIGTERM, SIGINT);
    const Child child([](const auto& ready) {
        const StopSignal stop;
        ready();
        stop.wait();
        return stop.requested() ? 0 : 50;
    });
    child.send(signal);
    CHECK(child.exit_code() == 0);
}

TEST_CASE("a second signal ends the process at once") {
    const Child child([](const auto& ready) {
        const StopSignal stop;
        const std::stop_callback stopping(stop.token(), [&] { ready(); });
        ::kill(::getpid(), SIGTERM);
        for (;;) ::pause();
        return 0;
    });
    child.send(SIGTERM);
    CHECK(child.exit_code() == 130);
}

TEST_CASE("a process that does not end within the grace period ends itself") {
    const Child child([](const auto& ready) {
        const StopSignal stop(100ms);
        ready();
        for (;;) ::pause();
        return 0;
    });
    child.send(SIGTERM);
    CHECK(child.exit_code() == 1);
}

TEST_CASE("a closed pipe does not end the process") {
    const Child child([](const auto& ready) {
        const StopSignal stop;
        int ends[2];
        if (::pipe(ends) != 0) return 50;
        ::close(ends[0]);
        ready();
        return ::write(ends[1], "x", 1) == -1 ? 0 : 51;
    });
    CHECK(child.exit_code() == 0);
}

TEST_CASE("stop can be requested by the program and runs callbacks") {
    const Child child([](const auto& ready) {
        StopSignal stop;
        const std::stop_callback callback(stop.token(), [&] { ready(); });
        if (stop.wait_for(10ms)) return 50;
        stop.request();
        return stop.wait_for(10s) ? 0 : 51;
    });
    CHECK(child.exit_code() == 0);
}

TEST_CASE("a sleep ends early when stop is requested", "[threads]") {
    std::stop_source source;
    CHECK_FALSE(runtime::sleep_until_stop(source.get_token(), 1ms));
    const std::jthread requester([&] { source.request_stop(); });
    CHECK(runtime::sleep_until_stop(source.get_token(), 1h));
}
