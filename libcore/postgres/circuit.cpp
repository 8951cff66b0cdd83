#include "libcore/postgres/circuit.hpp"

namespace postgres {

void Circuit::succeeded() {
    state_ = State::closed;
    failures_ = 0;
    proven_ = true;
    lacks_server_ = false;
}

void Circuit::failed(bool lost, Time now) {
    if (most_failures_ == 0) return;
    if (state_ == State::half_open) return open(lost, now);
    if (state_ == State::closed && ++failures_ >= most_failures_) open(lost, now);
}

/// A server that ends connections may have gone, and be back at once. So may one that does not answer
/// any more, the first time.
void Circuit::open(bool lost, Time now) {
    lacks_server_ = lost || (state_ == State::closed && proven_);
    state_ = State::open;
    until_ = now + hold_;
}

void Circuit::could_not_connect(Time now) {
    failed(true, now);
    if (state_ == State::closed) return;
    state_ = State::open;
    lacks_server_ = true;
}

void Circuit::connected() {
    if (!lacks_server()) return;
    state_ = State::closed;
    failures_ = 0;
    proven_ = false;
    lacks_server_ = false;
}

void Circuit::probe_ended(Probe probe) {
    if (state_ != State::half_open || probe != probe_) return;
    state_ = State::open;
    until_ = {};
}

}  // namespace postgres
