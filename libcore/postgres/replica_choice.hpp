// Which replica may answer a read: it is in as long as it is known to lack no more than the primary wrote in
// the last second. Pure: what was seen, and when, are arguments. One thread at a time.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "libcore/postgres/log_position.hpp"

namespace postgres {

class ReplicaChoice {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    struct Limits {
        Duration out_above = std::chrono::seconds(1);
        Duration back_below = std::chrono::milliseconds(500);
        /// What was seen of a replica is worth nothing after this.
        Duration seen_within = std::chrono::seconds(1);
        /// While the primary says nothing, nothing is committed that a replica could lack; yet somebody else
        /// may reach it.
        Duration primary_within = std::chrono::seconds(5);
    };

    /// Why a replica is out.
    enum class Standing {
        in,
        unknown,    ///< it or the primary has not answered of late, or they have not been compared yet
        behind,     ///< it lacks what is older than the limit, and has not caught up since
        no_replica  ///< promoted, or of another primary
    };

    struct View {
        Standing standing = Standing::unknown;
        /// The age of the oldest change that it lacks, to a look, as far as the looks at the primary go back;
        /// nothing while that cannot be told.
        std::optional<Duration> lag{};
        int reads = 0;  ///< under way
    };

    explicit ReplicaChoice(int replicas) : ReplicaChoice(replicas, Limits{}) {}
    ReplicaChoice(int replicas, const Limits& limits);

    /// `asked`: a moment before the question, so that what was committed until then is not after `end`.
    void primary_at(LogPosition end, Time asked);
    /// `answered`: a moment after the answer. `replayed` only grows while the replica lives.
    void replica_at(int replica, LogPosition replayed, Time answered);
    /// It did not answer, or broke a connection: all that was known of it.
    void forget(int replica);
    /// The server at its address is no replica of our primary.
    void no_replica(int replica);

    /// None is in, or none that is has replayed what the reader must see.
    enum class None { in, new_enough };
    struct Choice {
        std::optional<int> replica;
        None none = None::in;
        Time seen{};  ///< when it had all that the reader must see
    };
    /// The least busy of those that may answer, in turn. Its read is under way until `done`.
    Choice choose(std::optional<LogPosition> after, Time now);
    void done(int replica);

    View view(int replica, Time now) const;

private:
    struct Sample {
        LogPosition end;
        Time asked;
    };
    struct Replica {
        LogPosition replayed{};
        std::optional<Time> seen{};  ///< `replayed`
        /// It has all that was committed until then. Nothing while it lacks what there was at the first look
        /// at the primary: nobody knows how old that is.
        std::optional<Time> as_of{};
        std::optional<Duration> lag{};
        bool in = false;
        bool compared = false;  ///< with what this primary had after it was seen
        bool stranger = false;  ///< no replica, or ahead of its primary
        int reads = 0;

        void start_again();
    };

    Replica& at(int replica) { return replicas_[static_cast<std::size_t>(replica)]; }
    bool is_known(const Replica& replica, Time now) const;
    bool may_answer(const Replica& replica, Time now) const { return replica.in && is_known(replica, now); }

    const Limits limits_;
    std::vector<Replica> replicas_;
    std::deque<Sample> samples_;  ///< of the primary, ascending
    std::size_t turn_ = 0;
};

}  // namespace postgres
