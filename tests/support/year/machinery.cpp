#include "tests/support/year/machinery.hpp"

#include <algorithm>
#include <thread>

#include "libcore/postgres/zones_table.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process.hpp"
#include "tests/support/year/simulation.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto horizon = 26h;
constexpr auto provider_timeout = 10s;
// Shorter than the answers of a slow provider.
constexpr auto impatience = 200ms;
// Of the batches that the rescuer looks at; a row's lease is its worker's.
constexpr auto young = 2s;
constexpr auto longest_step = 60s;
constexpr int lanes = 16;

constexpr postgres::Statement stop_clock{"year_stop_clock", "SELECT set_clock($1::timestamptz, 0)"};
// Not set_clock: that forgets what is planned.
constexpr postgres::Statement step_clock{
    "year_step_clock", "UPDATE app_clock SET base = $1::timestamptz, started_at = clock_timestamp()"};

constexpr postgres::Statement look{"year_look", R"sql(
    SELECT (SELECT count(*) FROM dispatches d
            CROSS JOIN LATERAL unnest(d.ids, d.dates) AS member(id, delivery_date)
            JOIN message_logs m ON m.id = member.id AND m.delivery_date = member.delivery_date
            WHERE m.status IN ('QUEUED', 'SENDING')),
           NOT deliveries_paused()
           AND EXISTS (SELECT FROM message_logs WHERE due_at <= (SELECT app_now())))sql"};

constexpr postgres::Statement first_due{
    "year_first_due", "SELECT min(due_at) FROM message_logs WHERE due_at > (SELECT app_now())"};

constexpr postgres::Statement cut{"year_cut", R"sql(
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')sql"};

constexpr postgres::Statement all_rows{"year_rows", R"sql(
    SELECT user_id, message_type, delivery_date, idempotency_key, status, scheduled_send_time, actual_send_time,
           coalesce(recipient_email, ''), coalesce(message_content, ''), in_doubt, coalesce(error_message, '')
    FROM message_logs)sql"};

/// As the services' sessions are, but that no commit waits for the disk: nothing here turns off the power.
postgres::PoolSettings pool(const support::TestDatabase& database, int max,
                            std::chrono::milliseconds lock_timeout = 0ms) {
    postgres::PoolSettings settings{.connection = database.settings(), .max = max};
    settings.connection.session = {{"enable_seqscan", "off"}, {"jit", "off"}, {"synchronous_commit", "off"}};
    settings.connection.lock_timeout = lock_timeout;
    return settings;
}

/// Those whom the provider refuses for good are refused in any case.
std::string script(const std::string& rules) {
    return std::string(R"({"rules":[{"email":")") + refused_address + R"(","status":422})" + rules + "]}";
}

std::string script_for(std::optional<Fault> fault) {
    // Few enough in a row to keep the circuit closed.
    if (fault == Fault::provider_dropping) return script(R"(,{"drop":true,"times":4})");
    if (fault == Fault::provider_slow) return script(R"(,{"delay_ms":400})");
    if (fault == Fault::provider_unavailable) return R"({"rules":[{"status":503}]})";
    return script("");
}

double run_rounds(scheduler::Planner& planner) {
    const auto start = Clock::now();
    for (auto pause = 0ms; pause == 0ms;) {
        try {
            pause = planner.run_once();
        } catch (const postgres::DatabaseError&) {
            pause = 0ms;
        }
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<std::string> zones_of_the_database() {
    const support::TestDatabase database;
    auto zones = database.pool();
    std::vector<std::string> names;
    for (const auto& zone : postgres::zone_names(zones)) names.push_back(zone.stored);
    std::ranges::sort(names);
    const auto rest = std::ranges::unique(names);
    names.erase(rest.begin(), rest.end());
    return names;
}

Machinery::Machinery(Instant begin)
    : log_({.service = "year", .level = runtime::log::Level::fatal}),
      // A naive provider: every request that it accepts is an e-mail.
      provider_({.policy = {.idempotent = false}}),
      scheduler_pool_(pool(database_, 4)),
      planner_pool_(pool(database_, 2)),
      worker_pool_(pool(database_, 4, 250ms)),
      registry_("year"),
      loops_(registry_, 10min),
      guardian_(scheduler_pool_, registry_),
      planners_{{planner_pool_, registry_, horizon, {}}, {planner_pool_, registry_, horizon, {}}},
      replanner_(planner_pool_, registry_, {}),
      dispatcher_(scheduler_pool_, registry_, broker_.settings(), 10'000),
      rescuer_(scheduler_pool_, registry_, {.lease = young, .lost_after = 1s},
               [this] { return dispatcher_.queue_is_shallow(); }) {
    scheduler_pool_.run(stop_clock, begin);
    provider_.play(script_for(fault_));
    start_worker();
}

Machinery::~Machinery() {
    finish_planning();
    stop_worker();
}

template <class Work>
auto Machinery::persistently(Work work) {
    const auto deadline = Clock::now() + longest_step;
    for (;;) {
        try {
            return work();
        } catch (const std::runtime_error&) {
            if (Clock::now() > deadline) throw;
            std::this_thread::sleep_for(10ms);
        }
    }
}

void Machinery::set_clock(Instant now) {
    persistently([&] { return scheduler_pool_.run(step_clock, now).affected(); });
}

void Machinery::begin_planning() {
    finish_planning();
    for (auto& planner : planners_)
        planning_.push_back(std::async(std::launch::async, [&planner] { return run_rounds(planner); }));
}

void Machinery::finish_planning() {
    for (auto& round : planning_) planning_seconds_ += round.get();
    planning_.clear();
}

void Machinery::replan() {
    while (persistently([&] { return replanner_.run_once(); }) == 0ms) {
    }
}

void Machinery::guard() {
    persistently([&] { return guardian_.run_once(); });
}

void Machinery::set_provider(std::optional<Fault> fault) {
    const bool had_worker = worker_ != nullptr;
    stop_worker();
    if (fault_ == Fault::provider_refusing) provider_.listen_again();
    fault_ = fault;
    provider_.play(script_for(fault_));
    if (fault_ == Fault::provider_refusing) provider_.stop_listening();
    if (had_worker) start_worker();
}

worker::Settings Machinery::worker_settings() const {
    worker::Settings settings;
    settings.broker = broker_.settings();
    settings.provider.url = *http::parse_url(provider_.url());
    settings.provider.timeout = fault_ == Fault::provider_slow ? impatience : provider_timeout;
    settings.lanes = lanes;
    settings.lease = 2 * settings.provider.timeout + 1s;
    // The simulation waits for what the worker holds.
    settings.longest_hold = 50ms;
    return settings;
}

void Machinery::start_worker() {
    worker_ = std::make_unique<worker::Pipeline>(worker_settings(), nullptr, worker_pool_, loops_);
}

void Machinery::stop_worker() {
    worker_.reset();
}

void Machinery::kill_a_worker() {
    const auto before = provider_.summary().requests;
    provider_.play(script(R"(,{"delay_ms":250})"));
    support::Service doomed("worker-svc", {{"APP_ENV", "development"},
                                           {"LOG_LEVEL", "fatal"},
                                           {"DATABASE_URL", database_.url()},
                                           {"AMQP_URL", broker_.url()},
                                           {"QUEUE_PREFIX", broker_.prefix()},
                                           {"PROVIDER_URL", provider_.url()},
                                           {"PROVIDER_TIMEOUT", "1500ms"},
                                           {"DELIVERY_LEASE", "3s"},
                                           {"QUEUE_CONCURRENCY", "3"}});
    support::eventually([&] { return provider_.summary().requests > before; }, 1s);
    doomed.kill();
    provider_.play(script_for(fault_));
}

void Machinery::lose_the_queue() {
    const auto& queue = broker_.settings().topology.deliveries();
    while (broker_.take(queue)) {
    }
}

void Machinery::cut_connections() {
    postgres::Connection superuser(database_.settings());
    superuser.run(cut);
}

void Machinery::dispatch() {
    while (persistently([&] { return dispatcher_.run_once(); }) == 0ms) {
    }
}

void Machinery::rescue() {
    if (Clock::now() < next_rescue_) return;
    const auto pause = persistently([&] { return rescuer_.run_once(); });
    next_rescue_ = Clock::now() + pause;
}

Machinery::Rest Machinery::rest() {
    return persistently([&] {
        const auto rows = scheduler_pool_.run(look);
        return Rest{rows.front().get<int>(0), rows.front().get<bool>(1)};
    });
}

std::optional<Instant> Machinery::next_due() {
    return persistently(
        [&] { return scheduler_pool_.run(first_due).front().get<std::optional<Instant>>(0); });
}

/// Hints published and not settled, by the parts' own counters: cheaper to ask than the ledger, and checked
/// against it in the end.
double Machinery::unsettled() {
    double settled = 0;
    for (const char* result :
         {"nothing_to_claim", "outdated", "missed", "key_expired", "unrenderable", "given_back"})
        settled += registry_.counter("hints_total", "", {{"result", result}}).Value();
    for (const char* outcome : {"SENT", "RETRYING", "FAILED", "UNKNOWN", "SUPERSEDED", "GIVEN_BACK"})
        settled += registry_.counter("deliveries_total", "", {{"outcome", outcome}}).Value();
    return registry_.counter("messages_dispatched_total", "").Value() - settled - forgiven_;
}

void Machinery::await_worker() {
    const auto soon = Clock::now() + 100ms;
    while (unsettled() > 0 && Clock::now() < soon) std::this_thread::sleep_for(200us);
}

bool Machinery::work(bool dispatching) {
    const auto deadline = Clock::now() + longest_step;
    while (Clock::now() < deadline) {
        if (dispatching) {
            rescue();
            dispatch();
        }
        if (worker_) await_worker();
        const Rest left = rest();
        if ((left.in_flight == 0 || !worker_) && (!left.due || !dispatching)) {
            if (worker_) forgiven_ += unsettled();
            return true;
        }
    }
    return false;
}

std::vector<Row> Machinery::rows() {
    std::vector<Row> all;
    for (const auto row : scheduler_pool_.run(all_rows)) {
        all.push_back({.user = row.get<domain::Uuid>(0),
                       .type = row.get<std::string>(1),
                       .date = row.get<domain::Date>(2),
                       .key = row.get<std::string>(3),
                       .status = domain::parse_status(row.get<std::string_view>(4)).value(),
                       .instant = row.get<Instant>(5),
                       .sent_at = row.get<std::optional<Instant>>(6),
                       .email = row.get<std::string>(7),
                       .content = row.get<std::string>(8),
                       .in_doubt = row.get<bool>(9),
                       .error = row.get<std::string>(10)});
    }
    return all;
}

}  // namespace year
