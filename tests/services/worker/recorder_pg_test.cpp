#include "services/worker/recorder.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;

namespace {

struct Fixture {
    support::TestDatabase database;
    int statements = 0;
    int messages = 0;
    postgres::Pool pool{{.connection = database.settings(), .max = 1},
                        [this](const postgres::Observation& seen) {
                            if (seen.name == "record_outcomes") ++statements;
                        }};
    // Never run: what is acked waits in it.
    rabbitmq::Consumer consumer{{}, 1, [](const rabbitmq::Received&) {}};
    runtime::Registry registry{"test"};
    worker::Recorder recorder{pool, consumer, registry};

    /// Of messages that the ledger does not have; whether the recorder should look at once.
    bool put(int count) {
        bool look = false;
        for (int i = 0; i < count; ++i) {
            const std::chrono::sys_days day(std::chrono::days(20'000));
            domain::Uuid id;
            id.bytes[0] = static_cast<std::uint8_t>(++messages >> 8);
            id.bytes[1] = static_cast<std::uint8_t>(messages);
            postgres::Attempted attempted{
                .message_id = id, .delivery_date = day, .attempt = 1, .outcome = {}, .body = {}, .error = {}};
            look = recorder.put({static_cast<std::uint64_t>(i), "", std::move(attempted)});
        }
        return look;
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "an outcome waits for others to share its transaction, ten milliseconds at most") {
    CHECK(put(1));
    const auto pause = recorder.run_once();
    CHECK(statements == 0);
    CHECK(pause > 0ms);
    CHECK(pause <= 10ms);
    CHECK_FALSE(put(1));
    std::this_thread::sleep_for(pause);
    CHECK(recorder.run_once() == 0ms);
    CHECK(statements == 1);
    CHECK(recorder.run_once() > 10ms);
    CHECK(statements == 1);
}

TEST_CASE_METHOD(Fixture, "256 outcomes wait for nobody and are one transaction") {
    put(255);
    CHECK(put(1));
    put(44);
    CHECK(recorder.run_once() == 0ms);
    CHECK(statements == 1);
    // The 44 wait for others again.
    CHECK(recorder.run_once() > 0ms);
    CHECK(statements == 1);
    recorder.flush();
    CHECK(statements == 2);
    CHECK(registry.counter("deliveries_total", "", {{"outcome", "SUPERSEDED"}}).Value() == 300);
}
