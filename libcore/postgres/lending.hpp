// Decides who of those who ask gets which connection of a pool, and which connections are opened, checked and
// closed. Events go in, decisions come out; connections are known by their places only.
// Pure: no I/O, no threads, time is an argument, randomness a seed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "libcore/postgres/circuit.hpp"
#include "libcore/postgres/connect_throttle.hpp"
#include "libcore/postgres/pool_settings.hpp"
#include "libcore/postgres/shedding.hpp"

namespace postgres {

/// `active` counts borrowed connections and those being made for a borrower.
struct PoolState {
    int total = 0;
    int idle = 0;
    int active = 0;
    int waiting = 0;
    int max = 0;
    int min = 0;
    int overdue = 0;                                                      ///< lent for longer than is allowed
    std::optional<std::chrono::steady_clock::time_point> paused_until{};  ///< may have passed
    int limit = 0;  ///< as many as the server allows at present, at most `max`
    Circuit::State circuit = Circuit::State::closed;
};

/// What ended a connection. `broken` came back unfit for use, `dead` was found so when it was to be lent,
/// `unhealthy` when it was looked after; `unanswered` kept a caller waiting past his deadline, and us after
/// it.
enum class CloseReason {
    idle,
    lifetime,
    uses,
    renewed,
    resized,
    broken,
    dead,
    unhealthy,
    unanswered,
    closed
};

/// Invariant: while anybody waits, there is nothing that he could be given; so whoever comes later cannot
/// overtake. Whom the reserve is for goes first.
class Lending {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;
    /// Names one who waits; never dereferenced.
    using Who = void*;

    enum class Use { ordinary, reserved };

    struct Ask {
        Who who;
        Use use = Use::ordinary;
        Time deadline = Time::max();
        Time since{};  ///< when it was asked first
    };

    /// The connection that rested at `place`, or the right and the duty to open one there.
    struct Grant {
        int place;
        bool open;
        Duration rested{};
    };

    enum class Reason {
        late,         ///< all connections stayed in use until the deadline
        full,         ///< too many wait
        shed,         ///< waiting has been too long for too long
        unreachable,  ///< the last attempt to connect failed, and there is no connection
        paused,       ///< nobody was served until the deadline
        circuit,      ///< the server has failed so often that nobody is let through
        closed,
    };
    struct Refusal {
        Reason reason;
        std::chrono::milliseconds retry_after;
    };
    struct Waits {};
    using Answer = std::variant<Grant, Refusal, Waits>;

    struct Closing {
        int place;
        CloseReason reason;

        friend bool operator==(const Closing&, const Closing&) = default;
    };

    /// What is to be done after an event. Those who are named here wait no more.
    struct Actions {
        std::vector<std::pair<Who, Grant>> granted{};
        std::vector<std::pair<Who, Refusal>> refused{};
        std::vector<Closing> close{};
        std::optional<int> open{};   ///< for nobody yet; from `tick` only
        std::optional<int> check{};  ///< from `tick` only
    };

    Lending(const PoolSettings& settings, unsigned seed);

    Answer ask(const Ask& ask, Time now, Actions& actions);
    /// The one who waited goes. It must not have been named in actions.
    Refusal give_up(Who who, Time now);

    enum class Failure {
        unreachable,
        refused,   ///< by a server that is there
        too_many,  ///< the server has no room for another
    };

    void opened(int place, Time now, Actions& actions);
    void failed(int place, Time now, Actions& actions, Failure why = Failure::unreachable);
    /// It was to be opened for him. If there are others, he waits for one of them.
    Answer server_full(int place, const Ask& ask, Time now, Actions& actions);
    /// He for whom it is being opened does not wait any more. It is opened all the same, for whoever comes.
    void abandon_opening(int place, Time now, Actions& actions);

    /// Of what was lent. If it is not usable, it has been closed.
    void release(int place, bool usable, Time now, Actions& actions);
    /// Of what was lent, but it is not known yet whether it can be used again. It keeps its place until then:
    /// `recovered`, or `closed`.
    void quarantine(int place, Time now, Actions& actions);
    void recovered(int place, Time now, Actions& actions);

    /// What the last statement over a connection that is about to come back showed of the server: that it
    /// answers, or that it failed (`lost`: with the connection; else by not answering even a cancel).
    void server_answered(Time now, Actions& actions);
    void server_failed(bool lost, Time now, Actions& actions);
    /// The server behind it takes no writes any more, or takes them now.
    void changed_role(int place, Actions& actions);

    /// What was lent had ended while it rested, and is closed: it is as if it had not been lent.
    Answer found_dead(int place, const Ask& ask, Time now, Actions& actions);
    void validated(int place, bool alive, Time now, Actions& actions);
    void closed(int place, Time now, Actions& actions);

    /// What time alone brings about. To be called at `due()`, which only events bring nearer.
    void tick(Time now, Actions& actions);
    Time due() const { return due_; }

    /// No connection opened before is lent after it.
    void renew(Actions& actions);
    void resize(int max, int min, Time now, Actions& actions);
    /// Nobody gets anything until then, or until `resume`. Those who wait go on waiting.
    void pause(Time until);
    void resume(Time now, Actions& actions);
    /// Nobody gets anything from now on.
    void close(Actions& actions);

    PoolState state() const;
    /// Nobody is let through until one can connect.
    bool lacks_server() const { return circuit_.lacks_server(); }

    struct Place {
        enum class State {
            empty,
            opening,
            opening_ahead,
            opening_abandoned,
            active,
            idle,
            validating,
            closing
        };

        State state = State::empty;
        Use use = Use::ordinary;
        Circuit::Probe probe = Circuit::none;
        int generation = 0;
        int uses = 0;
        Time expires{};
        Time since{};  ///< it rests, or rested until it was looked after or closed
        Time heard{};  ///< from the server
    };
    const std::vector<Place>& places() const { return places_; }

private:
    using Line = std::deque<Ask>;

    Place& at(int place) { return places_[static_cast<std::size_t>(place)]; }
    Line& line_of(Use use) { return use == Use::ordinary ? ordinary_ : reserved_; }
    bool anybody_waits() const { return !ordinary_.empty() || !reserved_.empty(); }
    bool standing() const;
    std::size_t max_waiting() const;
    int reserve() const;
    int most() const { return std::min(max_, limit_); }
    bool may_lend(Use use) const { return use == Use::reserved || ordinary_out_ < most() - reserve(); }
    int staying() const { return total_ - closing_; }
    bool is_paused(Time now) const { return now < paused_until_; }
    int open() const { return staying() - int(opening_ahead_) - abandoned_; }
    std::optional<CloseReason> over(const Place& place, Time now) const;

    Answer ask_again(const Ask& ask, Time now, Actions& actions);
    void serve(Time now, Actions& actions);
    void serve(Line& line, Time now, Actions& actions);
    void shed(Time now, Actions& actions);
    std::optional<Grant> grant(Use use, Time now, Actions& actions);
    std::optional<Refusal> refusal(const Ask& ask, Time now) const;
    Refusal refuse(Reason reason, Time now) const;
    void refuse_all(Reason reason, Time now, Actions& actions);

    void probe(int place);
    int start_opening(Place::State state, Time now);
    void make_idle(int place, Time now, Actions& actions);
    void retire(int place, CloseReason reason, Actions& actions);
    void retire_oldest(CloseReason reason, Actions& actions);
    void retire_all(CloseReason reason, Actions& actions);
    void vacate(int place);
    void no_more_unasked(Place::State opening);
    void count_out(Use use, int change);

    void lower_limit(Time now);
    void raise_limit(Time now, Actions& actions);
    void close_unneeded(Time now, Actions& actions);
    void look_after_one(Time now, Actions& actions);
    void open_ahead(Time now, Actions& actions);

    Time waiting_due(Time now) const;
    Time ahead_due() const;
    Time check_due(const Place& place) const;
    Time idle_due(const Place& place) const;
    void look_again(Time at) { due_ = std::min(due_, at); }
    Duration part_of(Duration span);
    /// A span of zero never ends.
    static Time after(Time time, Duration span) {
        return span == Duration::zero() ? Time::max() : time + span;
    }

    static constexpr int no_limit = std::numeric_limits<int>::max();

    const PoolSettings settings_;
    int max_;
    int min_;
    ConnectThrottle throttle_;
    Circuit circuit_;
    Shedding shedding_;
    std::minstd_rand random_;

    std::vector<Place> places_;
    std::vector<int> idle_;  ///< what has rested longest in front
    Line ordinary_;
    Line reserved_;

    int total_ = 0;  ///< places that are not empty
    int closing_ = 0;
    bool opening_ahead_ = false;
    int abandoned_ = 0;  ///< by those for whom they were to be
    bool checking_ = false;
    int out_ = 0;           ///< lent, or being opened for somebody
    int ordinary_out_ = 0;  ///< of these, by whom the reserve is not for
    int generation_ = 0;
    bool closed_ = false;
    Time paused_until_{};
    int limit_ = no_limit;
    Time raise_limit_at_{};
    Time ahead_at_{};  ///< not before, the next is opened ahead
    Time due_{};
};

}  // namespace postgres
