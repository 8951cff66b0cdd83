#include "libcore/postgres/replica_choice.hpp"

#include <algorithm>
#include <cassert>

namespace postgres {

namespace {

// Four a second: minutes. A replica that is further behind is no less out.
constexpr std::size_t most_samples = 1'000;

}  // namespace

ReplicaChoice::ReplicaChoice(int replicas, const Limits& limits)
    : limits_(limits), replicas_(static_cast<std::size_t>(replicas)) {}

void ReplicaChoice::primary_at(LogPosition end, Time asked) {
    // Another server is the primary now, and lacks what the former had: nothing that was known fits it.
    if (!samples_.empty() && end < samples_.back().end) {
        samples_.clear();
        for (auto& replica : replicas_) replica.start_again();
    }
    if (samples_.empty() || samples_.back().end < end)
        samples_.push_back({end, asked});
    else
        samples_.back().asked = asked;  // nothing was written meanwhile
    if (samples_.size() > most_samples) samples_.pop_front();

    for (auto& replica : replicas_)
        if (replica.seen && *replica.seen < asked) {
            replica.stranger = replica.replayed > end;
            replica.compared = true;
        }
}

void ReplicaChoice::replica_at(int number, LogPosition replayed, Time answered) {
    Replica& replica = at(number);
    if (replayed < replica.replayed) replica.as_of.reset();  // it has crashed, or was made anew
    replica.replayed = replayed;
    replica.seen = answered;
    replica.lag.reset();
    if (samples_.empty()) return;

    const auto lacking = std::ranges::upper_bound(samples_, replayed, {}, &Sample::end);
    if (lacking != samples_.begin()) replica.as_of = std::prev(lacking)->asked;
    if (lacking == samples_.end())
        replica.lag = Duration::zero();
    else
        replica.lag = answered - replica.as_of.value_or(samples_.front().asked);

    if (!replica.as_of || *replica.lag > limits_.out_above)
        replica.in = false;
    else if (*replica.lag < limits_.back_below)
        replica.in = true;
}

void ReplicaChoice::Replica::start_again() {
    seen.reset();
    as_of.reset();
    lag.reset();
    in = false;
    compared = false;
}

void ReplicaChoice::forget(int replica) {
    at(replica).seen.reset();
    at(replica).in = false;
}

void ReplicaChoice::no_replica(int replica) {
    forget(replica);
    at(replica).stranger = true;
}

bool ReplicaChoice::is_known(const Replica& replica, Time now) const {
    return !replica.stranger && replica.compared && replica.lag && replica.seen &&
           now - *replica.seen <= limits_.seen_within &&
           now - samples_.back().asked <= limits_.primary_within;
}

ReplicaChoice::Choice ReplicaChoice::choose(std::optional<LogPosition> after, Time now) {
    Choice choice;
    const auto count = replicas_.size();
    for (std::size_t step = 0; step < count; ++step) {
        const auto number = (turn_ + step) % count;
        const Replica& replica = replicas_[number];
        if (!may_answer(replica, now)) continue;
        if (after && replica.replayed < *after)
            choice.none = None::new_enough;
        else if (!choice.replica || replica.reads < at(*choice.replica).reads)
            choice.replica = static_cast<int>(number);
    }
    if (choice.replica) {
        turn_ = static_cast<std::size_t>(*choice.replica) + 1;
        choice.seen = *at(*choice.replica).seen;
        ++at(*choice.replica).reads;
    }
    return choice;
}

void ReplicaChoice::done(int replica) {
    assert(at(replica).reads > 0);
    --at(replica).reads;
}

ReplicaChoice::View ReplicaChoice::view(int number, Time now) const {
    const Replica& replica = replicas_[static_cast<std::size_t>(number)];
    View view{.reads = replica.reads};
    if (replica.stranger)
        view.standing = Standing::no_replica;
    else if (is_known(replica, now))
        view.standing = replica.in ? Standing::in : Standing::behind;
    if (view.standing == Standing::in || view.standing == Standing::behind) view.lag = replica.lag;
    return view;
}

}  // namespace postgres
