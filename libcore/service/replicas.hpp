// The read replicas of a service: who of them may answer, watched by a thread each, and their pools. A read
// that a replica cannot answer is the primary's.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/postgres/pool.hpp"
#include "libcore/postgres/replica_choice.hpp"
#include "libcore/runtime/loops.hpp"
#include "libcore/runtime/periodic.hpp"
#include "libcore/service/replica_settings.hpp"
#include "libcore/service/replica_view.hpp"

namespace service {

/// Thread-safe. Without replicas there is neither thread nor metric.
class Replicas {
public:
    /// Makes a pool of that name.
    using Open =
        std::function<postgres::Pool(const std::string& name, const postgres::PoolSettings& settings)>;

    Replicas(const std::vector<ReplicaSettings>& settings, const postgres::Pool& primary,
             runtime::Loops& loops, const Open& open);
    ~Replicas();
    Replicas(const Replicas&) = delete;
    Replicas& operator=(const Replicas&) = delete;

    bool none() const { return replicas_.empty(); }

    /// One read that a replica was chosen for. Lives no longer than the replicas.
    class Read {
    public:
        Read(Replicas& replicas, const postgres::ReplicaChoice::Choice& choice);
        ~Read();
        Read(const Read&) = delete;
        Read& operator=(const Read&) = delete;

        /// For as long as the read may take there.
        postgres::Pool& pool() { return pool_; }
        /// It is the primary's now.
        void failed(const postgres::DatabaseError& error);
        /// What is not there yet may be at the primary.
        void missed();
        /// The replica may have crashed since it was looked at, and be behind what it was then: its pool has
        /// a newer connection. The read is the primary's then, too.
        bool may_be_too_old();

    private:
        Replicas& replicas_;
        const int replica_;
        const postgres::ReplicaChoice::Time seen_;
        postgres::Pool pool_;
        bool served_ = true;
    };

    /// Gives `read(pool)`: of a replica that has all up to `after`, unless it fails there or gives something
    /// that `is_missing`; else of the primary. So it may run twice, and must only read.
    template <class Reading, class IsMissing>
    auto read(const std::optional<postgres::LogPosition>& after, Reading reading, IsMissing is_missing) {
        if (const auto choice = choose(after); choice.replica) {
            Read read(*this, choice);
            try {
                auto answer = reading(read.pool());
                if (is_missing(answer))
                    read.missed();
                else if (!after || !read.may_be_too_old())
                    return answer;
            } catch (const postgres::DatabaseError& error) {
                read.failed(error);
            }
        }
        return reading(primary_);
    }

    /// No connection made before this call is lent after it.
    void renew();

    std::vector<ReplicaView> views() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Replica;
    struct Fallbacks;

    postgres::ReplicaChoice::Choice choose(const std::optional<postgres::LogPosition>& after);
    std::chrono::milliseconds look_at_primary();
    std::chrono::milliseconds look_at(int number);
    std::string look(int number);
    postgres::ReplicaChoice::View view(int number) const;
    void tell(int number, const std::string& reason);
    Replica& at(int number) { return *replicas_[static_cast<std::size_t>(number)]; }

    postgres::Pool primary_;
    mutable std::mutex mutex_;
    postgres::ReplicaChoice choice_;
    std::string system_;  ///< the primary's, as soon as it is known
    std::unique_ptr<const Fallbacks> fallbacks_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    std::deque<runtime::Periodic> watches_;  // last: they use all of the above
};

}  // namespace service
