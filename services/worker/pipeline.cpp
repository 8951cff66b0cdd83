#include "services/worker/pipeline.hpp"

#include "libcore/json/delivery.hpp"
#include "libcore/killpoint/killpoint.hpp"
#include "libcore/runtime/log.hpp"

namespace worker {

namespace {

// Short: after an outage the outcomes in hand must reach the ledger before the scheduler takes their rows
// back.
constexpr runtime::Periodic::Backoff recorder_backoff{.first = std::chrono::milliseconds(50),
                                                      .longest = std::chrono::milliseconds(500)};

constexpr auto count_every = std::chrono::seconds(1);
constexpr auto count_patience = std::chrono::seconds(2);

}  // namespace

Pipeline::Pipeline(const Settings& settings, ProviderRate* rate, postgres::Pool& pool, runtime::Loops& loops)
    : waiting_(loops.registry().gauge("hints_waiting", "Hints in hand that are not claimed yet")),
      malformed_(loops.registry().counter("hints_total", "Queue messages by what became of them",
                                          {{"result", "malformed"}})),
      consumer_(forgetting_on_loss(settings.broker), settings.prefetch(),
                [this](rabbitmq::Received received) { receive(std::move(received)); }),
      recorder_(pool, consumer_, loops.registry()),
      lanes_(settings, rate, loops.registry(),
             {.finished =
                  [this](Finished finished) {
                      if (recorder_.put(std::move(finished))) recording_.wake();
                  },
              .hungry =
                  [this] {
                      if (hints_.size() > 0) claiming_.wake();
                  }}),
      claimer_({pool, hints_, lanes_, recorder_, consumer_, loops.registry()},
               {.lease = settings.lease, .key_life = settings.provider.key_life}, settings.longest_hold),
      lanes_watched_(loops, "lanes", [this] { return lanes_.busy_since(); }),
      consumer_watched_(loops, "consumer", [this] { return consumer_.busy_since(); }),
      recording_(
          "recorder", loops, [this] { return recorder_.run_once(); }, recorder_backoff),
      claiming_("claimer", loops,
                [this] {
                    waiting_.Set(static_cast<double>(hints_.size()));
                    return claimer_.run_once();
                }),
      queue_watch_(settings.broker),
      consuming_([this] { consumer_.run(); }) {
    if (rate != nullptr) counting_.emplace("consumers", loops, [this, rate] { return count(*rate); });
}

Pipeline::~Pipeline() {
    stop();
}

void Pipeline::stop() {
    if (!consuming_.joinable()) return;
    if (counting_) counting_->stop();
    consumer_.stop_consuming();
    claiming_.join();
    lanes_.drain();
    recording_.join();
    recorder_.flush();
    consumer_.stop();
    consuming_.join();
}

/// The broker takes back the hints of a connection that was lost, and sends them again under other tags. Kept
/// here, they would pile up with every reconnect while the database is away.
rabbitmq::Settings Pipeline::forgetting_on_loss(rabbitmq::Settings broker) {
    broker.observe = [this, tell = std::move(broker.observe)](const rabbitmq::ConnectionChange& change) {
        if (!change.connected) hints_.clear();
        if (tell) tell(change);
    };
    return broker;
}

std::chrono::milliseconds Pipeline::count(ProviderRate& rate) {
    // None at all would leave out this worker: a queue between two leaders says so.
    const auto consumers = queue_watch_.look(count_patience).consumers;
    if (consumers > 0) rate.set_consumers(static_cast<int>(consumers));
    return count_every;
}

void Pipeline::receive(rabbitmq::Received received) {
    const auto delivery = json::decode_delivery(received.body);
    if (!delivery) {
        malformed_.Increment();
        runtime::log::error("rejected a malformed queue message",
                            {{"reason", delivery.errors().front().text}});
        consumer_.reject(received.tag);
        return;
    }
    KILLPOINT("hint.received");
    waiting_.Set(static_cast<double>(hints_.put({received.tag, *delivery})));
    claiming_.wake();
}

}  // namespace worker
