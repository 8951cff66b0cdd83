#include "libcore/runtime/stop_signal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>

#include "libcore/runtime/log.hpp"

namespace runtime {
namespace {

// 128 + SIGINT, what a shell reports for a process that was interrupted.
constexpr int exit_interrupted = 130;

sigset_t stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

int checked(int fd, const char* what) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
    return fd;
}

}  // namespace

void block_stop_signals() {
    const auto signals = stop_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopSignal::StopSignal(std::chrono::milliseconds grace)
    : grace_(grace), wake_fd_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    std::signal(SIGPIPE, SIG_IGN);
    block_stop_signals();
    thread_ = std::thread([this] { watch(); });
}

StopSignal::~StopSignal() {
    ended_ = true;
    wake();
    thread_.join();
    ::close(wake_fd_);
}

void StopSignal::wake() {
    // Full only after 2^64 - 2 wakes; nothing to do then but to be awake already.
    (void)::eventfd_write(wake_fd_, 1);
}

void StopSignal::request() {
    requested_ = true;
    wake();
}

/// The signal thread: waits for a signal, a request, the end of the grace period, or the destructor.
void StopSignal::watch() {
    const auto signals = stop_signals();
    const int signal_fd = checked(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
    std::chrono::steady_clock::time_point deadline;
    while (!ended_) {
        pollfd ready[] = {{signal_fd, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
        int timeout = -1;
        if (requested()) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                log::fatal("did not stop within the grace period", {{"grace_ms", grace_.count()}});
                ::_exit(1);
            }
            timeout = static_cast<int>(left.count());
        }
        ::poll(ready, 2, timeout);
        eventfd_t ignored = 0;
        (void)::eventfd_read(wake_fd_, &ignored);
        signalfd_siginfo received{};
        const bool signalled = ::read(signal_fd, &received, sizeof received) == sizeof received;
        if (signalled && requested()) ::_exit(exit_interrupted);
        if ((signalled || requested_) && !requested()) {
            deadline = std::chrono::steady_clock::now() + grace_;
            log::info("stopping",
                      {{"cause", signalled ? ::strsignal(static_cast<int>(received.ssi_signo)) : "request"}});
            source_.request_stop();
        }
    }
    ::close(signal_fd);
}

void StopSignal::wait() const {
    while (!wait_for(std::chrono::hours(24))) {
    }
}

bool StopSignal::wait_for(std::chrono::milliseconds timeout) const {
    return sleep_until_stop(token(), timeout);
}

bool sleep_until_stop(const std::stop_token& stop, std::chrono::milliseconds duration) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, duration, [] { return false; });
    return stop.stop_requested();
}

}  // namespace runtime
