#include "tests/bench/bare_stages.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>
#include <vector>

#include "libcore/json/delivery.hpp"
#include "libcore/postgres/claim_table.hpp"
#include "libcore/postgres/dispatch_table.hpp"
#include "libcore/postgres/record_table.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/amqp_fixture.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int dispatch_batch = 500;
constexpr std::size_t worker_batch = 250;

double rate(int count, Clock::time_point start) {
    return count / std::chrono::duration<double>(Clock::now() - start).count();
}

postgres::Attempted sent(const postgres::Claimed& message) {
    const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    return {.message_id = message.message_id,
            .delivery_date = message.delivery_date,
            .attempt = message.attempt,
            .outcome = {.ending = domain::Ending::sent},
            .http_status = 200,
            .body = R"({"success":true})",
            .error = {},
            .started_at = now,
            .finished_at = now};
}

int claim_and_record(postgres::Pool& pool, std::span<const domain::Delivery> hints) {
    const auto claims = postgres::claim(pool, hints, 30s);
    std::vector<postgres::Attempted> attempts;
    std::ranges::transform(claims.claimed, std::back_inserter(attempts), sent);
    return static_cast<int>(postgres::record_outcomes(pool, attempts).size());
}

}  // namespace

double ledger_alone(Herd& herd, int messages) {
    postgres::Pool pool(service_pool(herd.database()));
    herd.release();
    const auto start = Clock::now();
    int recorded = 0;
    for (int queued = -1; queued != 0;) {
        std::vector<domain::Delivery> hints;
        const auto keep = [&](std::span<const domain::Delivery> all) {
            hints.assign(all.begin(), all.end());
        };
        queued = postgres::dispatch(pool, dispatch_batch, keep).queued;
        for (std::size_t done = 0; done < hints.size(); done += worker_batch) {
            const auto size = std::min(worker_batch, hints.size() - done);
            recorded += claim_and_record(pool, std::span(hints).subspan(done, size));
        }
    }
    const double result = rate(messages, start);
    if (recorded != messages) throw std::runtime_error("the ledger alone did not record every message");
    return result;
}

double publish_alone(int messages) {
    const domain::Delivery hint{.message_id = {},
                                .delivery_date = domain::Date(2027y / 3 / 15),
                                .attempt = 0,
                                .trace = "0af7651916cd43dd8448eb211c80319c"};
    const std::vector bodies(static_cast<std::size_t>(messages), json::encode(hint));
    const support::AmqpFixture broker;
    rabbitmq::Publisher publisher(broker.settings());
    publisher.depth(10s);  // connects
    const auto start = Clock::now();
    for (std::size_t done = 0; done < bodies.size(); done += dispatch_batch) {
        const auto size = std::min<std::size_t>(dispatch_batch, bodies.size() - done);
        publisher.publish(std::span(bodies).subspan(done, size), 10s);
    }
    return rate(messages, start);
}

}  // namespace bench
