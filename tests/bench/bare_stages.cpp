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
#include "libcore/postgres/transaction.hpp"
#include "libcore/rabbitmq/publisher.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/amqp_fixture.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int dispatch_batch = 500;
constexpr std::size_t worker_batch = 250;

constexpr postgres::Statement keys_due{"keys_due", R"(
    SELECT id, delivery_date FROM message_logs WHERE due_at IS NOT NULL AND delivery_date = '2027-03-15'
    ORDER BY due_at)"};

constexpr postgres::Statement queue_rows{"queue_rows", R"(
    UPDATE message_logs m SET status = 'QUEUED', due_at = NULL, trace = '0af7651916cd43dd8448eb211c80319c',
                              updated_at = clock_timestamp()
    FROM unnest($1::uuid[], $2::date[]) AS due(id, delivery_date)
    WHERE m.id = due.id AND m.delivery_date = due.delivery_date AND m.delivery_date = '2027-03-15')"};

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
    const auto claims = postgres::claim(pool, hints, {.lease = 30s});
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

double update_alone(Herd& herd) {
    postgres::Pool pool(service_pool(herd.database()));
    struct Batch {
        std::vector<domain::Uuid> ids;
        std::vector<domain::Date> dates;
    };
    std::vector<Batch> batches;
    for (const postgres::Row row : herd.connection().run(keys_due)) {
        if (batches.empty() || batches.back().ids.size() == dispatch_batch) batches.emplace_back();
        batches.back().ids.push_back(row.get<domain::Uuid>(0));
        batches.back().dates.push_back(row.get<domain::Date>(1));
    }
    const auto start = Clock::now();
    int updated = 0;
    for (const Batch& batch : batches) {
        const postgres::Lease lease = pool.lease();
        postgres::Transaction transaction(*lease);
        updated += transaction.run(queue_rows, batch.ids, batch.dates).affected();
        transaction.commit();
    }
    const double result = rate(updated, start);
    if (updated != herd.due().messages)
        throw std::runtime_error("the bare update did not find every message");
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
