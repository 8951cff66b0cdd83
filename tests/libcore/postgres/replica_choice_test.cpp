#include "libcore/postgres/replica_choice.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <random>

using namespace std::chrono_literals;
using postgres::LogPosition;
using postgres::ReplicaChoice;
using Standing = postgres::ReplicaChoice::Standing;
using None = postgres::ReplicaChoice::None;

namespace {

constexpr ReplicaChoice::Time start{1'000s};

struct Fixture {
    /// Both are asked each quarter of a second; what the primary wrote meanwhile is not there yet.
    void pass(ReplicaChoice::Duration time, std::uint64_t written, bool replayed) {
        const auto end = now + time;
        while (now < end) {
            now += 250ms;
            log.bytes += written;
            choice.primary_at(log, now);
            if (replayed) replica = log;
            choice.replica_at(0, replica, now + 1ms);
        }
        now += 1ms;
    }

    bool answers(std::optional<LogPosition> after = {}) {
        const auto chosen = choice.choose(after, now).replica;
        if (chosen) choice.done(*chosen);
        return chosen.has_value();
    }

    ReplicaChoice choice{1};
    ReplicaChoice::Time now = start;
    LogPosition log{1'000};
    LogPosition replica{1'000};
};

/// With several replicas, which have all there is, known at `start` + 2 ms.
ReplicaChoice several(int replicas) {
    ReplicaChoice choice(replicas);
    choice.primary_at({1'000}, start);
    for (int replica = 0; replica < replicas; ++replica) choice.replica_at(replica, {1'000}, start + 1ms);
    choice.primary_at({1'000}, start + 2ms);
    return choice;
}

}  // namespace

TEST_CASE("a position in the log is read and written as the server does") {
    CHECK(postgres::parse_log_position("16/B374D848")->bytes == 0x16'B374D848);
    CHECK(postgres::parse_log_position("0/0")->bytes == 0);
    CHECK(postgres::parse_log_position("ffffffff/ffffffff") == postgres::beyond_every_log);
    CHECK(to_string(LogPosition{0x16'B374D848}) == "16/B374D848");
    CHECK(to_string(LogPosition{0x1'0000000A}) == "1/A");
    CHECK(to_string(postgres::beyond_every_log) == "FFFFFFFF/FFFFFFFF");
    for (const auto* wrong : {"", "/", "1", "1/", "/1", "1/2/3", "0x1/2", "-1/2", "+1/2", "1/ 2", "1/2 ",
                              "g/1", "1/123456789", "000000001/1"})
        CHECK_FALSE(postgres::parse_log_position(wrong));
}

TEST_CASE_METHOD(Fixture,
                 "nothing is read from a replica before both, and then the primary, were looked at") {
    CHECK_FALSE(answers());
    choice.replica_at(0, replica, now);
    CHECK_FALSE(answers());
    choice.primary_at(log, now);
    CHECK_FALSE(answers());
    choice.replica_at(0, replica, now);
    CHECK_FALSE(answers());
    CHECK(choice.view(0, now).standing == Standing::unknown);
    choice.primary_at(log, now + 1ms);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture,
                 "a replica is out until it has all that there was at the first look at the primary") {
    log.bytes += 1'000;
    for (int look = 0; look < 8; ++look) {
        pass(250ms, 10, false);
        CHECK_FALSE(answers());
    }
    CHECK(choice.view(0, now).standing == Standing::behind);
    CHECK(choice.view(0, now).lag > 1s);
    replica.bytes = 2'009;
    pass(250ms, 10, false);
    CHECK_FALSE(answers());
    pass(250ms, 10, true);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "a replica that has gone back is as far behind as it was then") {
    pass(1s, 10, true);
    const auto before = replica;
    pass(1s, 10, true);
    replica = before;
    pass(250ms, 10, false);
    CHECK(choice.view(0, now).lag > 1s);
    CHECK_FALSE(answers());
    pass(250ms, 10, true);
    CHECK(answers());
    replica = LogPosition{1};  // of before the first look at the primary
    pass(250ms, 10, false);
    CHECK(choice.view(0, now).standing == Standing::behind);
    CHECK(choice.view(0, now).lag > 2s);
    CHECK_FALSE(answers());
}

TEST_CASE_METHOD(Fixture, "a replica is out when it lags by more than a second, and back below half of it") {
    pass(1s, 10, true);
    CHECK(choice.view(0, now).lag == 0ms);
    pass(1s, 10, false);
    CHECK(choice.view(0, now).lag == 1'002ms);
    CHECK_FALSE(answers());
    CHECK(choice.view(0, now).standing == Standing::behind);
    pass(3s, 10, false);
    CHECK(choice.view(0, now).lag == 4'003ms);

    replica.bytes += 130;  // it has what there was until 750 ms ago
    choice.replica_at(0, replica, now);
    CHECK(choice.view(0, now).lag == 751ms);
    CHECK_FALSE(answers());
    replica.bytes += 20;
    choice.replica_at(0, replica, now);
    CHECK(choice.view(0, now).lag == 251ms);
    CHECK(answers());

    pass(500ms, 10, false);
    CHECK(choice.view(0, now).lag > 500ms);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "a primary that writes nothing leaves no replica behind") {
    pass(1s, 10, true);
    pass(1h, 0, false);
    CHECK(choice.view(0, now).lag == 0ms);
    CHECK(answers());
    pass(250ms, 1, false);
    CHECK(choice.view(0, now).lag < 300ms);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "a replica that is busy replaying is not behind for the moment that this takes") {
    pass(250ms, 0, true);
    for (int look = 0; look < 40; ++look) {
        const auto before = log;
        pass(250ms, 100, false);
        replica = before;  // it never has the last of it
    }
    CHECK(choice.view(0, now).lag < 600ms);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "what was seen of a replica is worth nothing after a second") {
    pass(1s, 10, true);
    now += 999ms;
    CHECK(answers());
    now += 2ms;
    CHECK_FALSE(answers());
    CHECK(choice.view(0, now).standing == Standing::unknown);
    CHECK_FALSE(choice.view(0, now).lag);
    pass(250ms, 0, true);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "a replica that broke a connection is out until it has been looked at") {
    pass(1s, 10, true);
    choice.forget(0);
    CHECK_FALSE(answers());
    choice.replica_at(0, replica, now);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "reads go on for five seconds while the primary says nothing") {
    pass(1s, 10, true);
    for (auto silent = 0ms; silent < 5s; silent += 250ms) {
        CHECK(answers());
        now += 250ms;
        choice.replica_at(0, replica, now);
    }
    CHECK_FALSE(answers());
    pass(500ms, 10, true);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "who has written reads from a replica that has it, else from the primary") {
    pass(1s, 10, true);
    CHECK(answers(replica));
    const auto chosen = choice.choose(LogPosition{replica.bytes + 1}, now);
    CHECK_FALSE(chosen.replica);
    CHECK(chosen.none == None::new_enough);
    CHECK_FALSE(answers(postgres::beyond_every_log));
    pass(250ms, 10, true);
    CHECK(answers(LogPosition{log.bytes - 9}));
}

TEST_CASE_METHOD(Fixture, "a replica that was promoted is out until it follows again") {
    pass(1s, 10, true);
    choice.no_replica(0);
    CHECK_FALSE(answers());
    CHECK(choice.view(0, now).standing == Standing::no_replica);
    now += 250ms;
    choice.primary_at(log, now);
    CHECK_FALSE(answers());
    pass(500ms, 10, true);
    CHECK(answers());
}

TEST_CASE_METHOD(Fixture, "a replica that has what its primary never wrote follows another") {
    pass(1s, 10, true);
    replica.bytes = log.bytes + 1;
    choice.replica_at(0, replica, now);
    CHECK(answers());  // the primary may have written it since it was asked
    now += 1ms;
    choice.primary_at(log, now);
    CHECK_FALSE(answers());
    CHECK(choice.view(0, now).standing == Standing::no_replica);
}

TEST_CASE_METHOD(Fixture,
                 "after another server became the primary, what was known of replicas is forgotten") {
    pass(1s, 10, true);
    log.bytes -= 5;
    now += 250ms;
    choice.primary_at(log, now);
    CHECK_FALSE(answers());
    choice.replica_at(0, LogPosition{log.bytes + 5}, now + 1ms);
    now += 2ms;
    CHECK_FALSE(answers());
    CHECK_FALSE(answers(LogPosition{log.bytes + 1}));
    now += 250ms;
    choice.primary_at(log, now);
    CHECK(choice.view(0, now).standing == Standing::no_replica);
    CHECK_FALSE(answers());
}

TEST_CASE_METHOD(Fixture,
                 "a replica that is behind a new primary is out until it has what there was at first") {
    pass(1s, 10, true);
    pass(250ms, 10, false);
    log.bytes -= 5;
    choice.primary_at(log, now);
    choice.replica_at(0, replica, now + 1ms);
    choice.primary_at(log, now + 2ms);
    now += 2ms;
    CHECK_FALSE(answers());
    for (int look = 0; look < 8; ++look) {
        pass(250ms, 0, false);
        CHECK_FALSE(answers());
    }
    pass(250ms, 0, true);
    CHECK(answers());
}

TEST_CASE("the least busy replica answers, and of equals each in its turn") {
    auto choice = several(3);
    const auto now = start + 2ms;
    for (const int expected : {0, 1, 2, 0, 1, 2}) CHECK(choice.choose({}, now).replica == expected);
    choice.done(1);
    choice.done(1);
    CHECK(choice.choose({}, now).replica == 1);
    CHECK(choice.choose({}, now).replica == 1);
    CHECK(choice.choose({}, now).replica == 2);
    CHECK(choice.view(2, now).reads == 3);
}

TEST_CASE("of several replicas one that is new enough is found") {
    auto choice = several(2);
    choice.primary_at({2'000}, start + 250ms);
    choice.replica_at(1, {2'000}, start + 251ms);
    const auto now = start + 251ms;
    for (int read = 0; read < 3; ++read) CHECK(choice.choose(LogPosition{1'500}, now).replica == 1);
    CHECK(choice.choose({}, now).replica == 0);
}

namespace {

/// A primary and replicas as they really are, and looks at them that take their time and overtake each other.
class Simulation {
public:
    /// One replica has been behind for long when the looks begin.
    explicit Simulation(unsigned seed) : random_(seed) {
        written_[start - 1h] = end_;
        replayed_ = {end_, end_, LogPosition{1}};
        paused_until_[2] = start + 3s;
    }

    void run(int steps) {
        for (int step = 0; step < steps; ++step) {
            now_ += std::chrono::milliseconds(up_to(40));
            while (!arriving_.empty() && arriving_.begin()->first <= now_)
                arriving_.extract(arriving_.begin()).mapped()();
            if (up_to(3) == 0) write();
            for (int replica = 0; replica < replicas; ++replica) replay(replica);
            look();
            read();
        }
    }

    int answered = 0;
    int refused = 0;

private:
    using Time = ReplicaChoice::Time;
    static constexpr int replicas = 3;

    int up_to(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }

    void write() {
        end_.bytes += static_cast<std::uint64_t>(1 + up_to(1'000));
        written_[now_] = end_;
    }
    LogPosition end_at(Time time) const {
        const auto after = written_.upper_bound(time);
        return after == written_.begin() ? LogPosition{1} : std::prev(after)->second;
    }

    void replay(int replica) {
        auto& pause = paused_until_[replica];
        if (now_ < pause) return;
        if (up_to(300) == 0) pause = now_ + std::chrono::milliseconds(up_to(5'000));
        const auto delay = std::chrono::milliseconds(up_to(up_to(20) == 0 ? 2'000 : 50));
        replayed_[replica] = std::max(replayed_[replica], end_at(now_ - delay));
    }

    /// Each begins before the server reads, and ends after it.
    void look() {
        const auto asked = now_;
        const auto travel = [this] { return std::chrono::milliseconds(up_to(100)); };
        if (up_to(9) == 0) {
            const auto read_at = now_ + travel();
            arrive(read_at, [=, this] {
                const auto end = end_;
                arrive(read_at + travel(), [=, this] { choice_.primary_at(end, asked); });
            });
        }
        for (int replica = 0; replica < replicas; ++replica) {
            if (up_to(9) != 0) continue;
            const auto position = replayed_[replica];
            arrive(now_ + travel(), [=, this] {
                // One thread looks at a replica: it hears nothing older after something newer.
                if (position < heard_[replica]) return;
                heard_[replica] = position;
                choice_.replica_at(replica, position, now_);
            });
        }
    }
    void arrive(Time at, std::function<void()> what) { arriving_.emplace(at, std::move(what)); }

    void read() {
        const auto after = up_to(1) == 0 ? std::optional(end_at(now_ - std::chrono::milliseconds(up_to(500))))
                                         : std::nullopt;
        const auto chosen = choice_.choose(after, now_).replica;
        if (!chosen) {
            ++refused;
            return;
        }
        ++answered;
        choice_.done(*chosen);
        // A second by the rule, and a second in which nobody looked.
        REQUIRE(replayed_[*chosen] >= end_at(now_ - 2s));
        if (after) REQUIRE(replayed_[*chosen] >= *after);
    }

    std::minstd_rand random_;
    ReplicaChoice choice_{replicas};
    Time now_ = start;
    LogPosition end_{1'000'000};
    std::map<Time, LogPosition> written_;
    std::array<LogPosition, replicas> replayed_{}, heard_{};
    std::array<Time, replicas> paused_until_{};
    std::multimap<Time, std::function<void()>> arriving_;
};

}  // namespace

TEST_CASE("whatever happens when, no reader misses what is two seconds old, or what he said he must see") {
    for (unsigned seed = 0; seed < 20; ++seed) {
        Simulation simulation(seed);
        simulation.run(3'000);
        CHECK(simulation.answered > 1'000);
        CHECK(simulation.refused > 10);
    }
}
