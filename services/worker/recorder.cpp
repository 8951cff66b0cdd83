#include "services/worker/recorder.hpp"

#include <algorithm>
#include <thread>

#include "libcore/killpoint/killpoint.hpp"
#include "libcore/runtime/log.hpp"

namespace worker {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t batch_size = 256;
// How long an outcome may wait for others to share its transaction.
constexpr auto linger = 3ms;
constexpr auto idle_pause = 1s;
constexpr auto flush_pause = 200ms;
// Many times what a commit takes, and less than the part of a lease that is left after an answer.
constexpr auto long_record = 100ms;

const runtime::Buckets lateness_buckets = {.05, .1, .25, .5,   1,    2,      5,     10,
                                           30,  60, 300, 1800, 3600, 21'600, 86'400};

prometheus::Counter& outcome_counter(runtime::Registry& registry, std::string_view status) {
    return registry.counter("deliveries_total", "Attempts by what was recorded for them",
                            {{"outcome", std::string(status)}});
}

bool failed(const Finished& finished) {
    const auto* attempted = std::get_if<postgres::Attempted>(&finished.result);
    return attempted && attempted->outcome.ending == domain::Ending::failed;
}

std::string_view trace_of(const std::vector<Finished>& batch, const domain::Uuid& message_id) {
    const auto found = std::ranges::find_if(batch, [&](const Finished& finished) {
        const auto* attempted = std::get_if<postgres::Attempted>(&finished.result);
        return attempted && attempted->message_id == message_id;
    });
    return found == batch.end() ? std::string_view() : found->trace;
}

}  // namespace

Recorder::Recorder(const postgres::Pool& pool, rabbitmq::Consumer& consumer, runtime::Registry& registry)
    : pool_(pool.reserved()),
      consumer_(consumer),
      superseded_(outcome_counter(registry, "SUPERSEDED")),
      given_back_(outcome_counter(registry, "GIVEN_BACK")),
      lateness_(registry.histogram("message_lateness_seconds",
                                   "From the scheduled instant to the recorded success", {},
                                   lateness_buckets)) {
    for (const auto status :
         {domain::Status::sent, domain::Status::retrying, domain::Status::failed, domain::Status::unknown}) {
        outcomes_[status] = &outcome_counter(registry, to_string(status));
    }
    // The only way in which a worker cancels.
    outcomes_[domain::Status::cancelled] = &outcome_counter(registry, "SUPPRESSED");
}

bool Recorder::put(Finished finished) {
    const std::size_t waiting = finished_.put(std::move(finished));
    return waiting == 1 || waiting == batch_size;
}

std::chrono::milliseconds Recorder::run_once() {
    const std::size_t waiting = finished_.size();
    if (waiting == 0) {
        oldest_ = {};
        return idle_pause;
    }
    const auto now = Clock::now();
    if (waiting < batch_size) {
        if (oldest_ == Clock::time_point{}) oldest_ = now;
        if (now - oldest_ < linger) return linger;
    }
    oldest_ = {};
    if (recording_since_.load() == Clock::time_point{}) recording_since_ = now;
    auto batch = finished_.take(batch_size);
    try {
        record(batch);
    } catch (...) {
        finished_.put_back(std::move(batch));
        throw;
    }
    recording_since_ = Clock::time_point{};
    return 0ms;
}

bool Recorder::is_behind() const {
    const Clock::time_point since = recording_since_;
    return since != Clock::time_point{} && Clock::now() - since > long_record;
}

void Recorder::flush() {
    while (finished_.size() > 0) {
        auto batch = finished_.take(batch_size);
        try {
            record(batch);
        } catch (const std::exception& error) {
            runtime::log::error("outcomes wait for the ledger", {{"reason", error.what()}});
            finished_.put_back(std::move(batch));
            std::this_thread::sleep_for(flush_pause);
        }
    }
}

void Recorder::record(const std::vector<Finished>& batch) {
    KILLPOINT("record.begins");
    record_attempts(batch);
    give_back(batch);
    KILLPOINT("record.committed");
    for (const Finished& finished : batch) {
        failed(finished) ? consumer_.reject(finished.tag) : consumer_.ack(finished.tag);
    }
}

void Recorder::record_attempts(const std::vector<Finished>& batch) {
    std::vector<postgres::Attempted> attempts;
    for (const Finished& finished : batch) {
        if (const auto* attempted = std::get_if<postgres::Attempted>(&finished.result))
            attempts.push_back(*attempted);
    }
    const auto recorded = postgres::record_outcomes(pool_, attempts);
    count(recorded);
    for (const postgres::Recorded& one : recorded) {
        if (one.status != domain::Status::failed && one.status != domain::Status::unknown) continue;
        runtime::log::error("a message needs a person", {{"message_id", to_string(one.message_id)},
                                                         {"trace_id", trace_of(batch, one.message_id)},
                                                         {"status", to_string(one.status)}});
    }
    superseded_.Increment(static_cast<double>(attempts.size() - recorded.size()));
}

void Recorder::give_back(const std::vector<Finished>& batch) {
    // Equal delays go together; there are few.
    std::map<std::chrono::milliseconds, std::vector<postgres::Claimed>> by_delay;
    for (const Finished& finished : batch) {
        if (const auto* back = std::get_if<GivenBack>(&finished.result))
            by_delay[back->delay].push_back(back->message);
    }
    for (const auto& [delay, messages] : by_delay) {
        KILLPOINT("give_back.begins");
        const int given_back = postgres::give_back_claims(pool_, messages, delay);
        KILLPOINT("give_back.committed");
        given_back_.Increment(given_back);
    }
}

void Recorder::count(const std::vector<postgres::Recorded>& recorded) {
    for (const postgres::Recorded& one : recorded) {
        outcomes_.at(one.status)->Increment();
        if (one.status == domain::Status::sent)
            lateness_.Observe(std::chrono::duration<double>(one.lateness).count());
    }
}

}  // namespace worker
