#include "tests/support/demo/interruption.hpp"

namespace demo {

Interruption::Interruption() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

bool Interruption::comes_within(std::chrono::milliseconds pause) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(pause);
    const timespec timeout{seconds.count(), std::chrono::nanoseconds(pause - seconds).count()};
    if (sigtimedwait(&signals_, nullptr, &timeout) > 0) source_.request_stop();
    return came();
}

}  // namespace demo
