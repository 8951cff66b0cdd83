#include "tests/bench/delivery_system.hpp"

#include "tests/bench/machine.hpp"
#include "tests/bench/postgres_server.hpp"
#include "tests/support/eventually.hpp"

namespace bench {

using namespace std::chrono_literals;

DeliverySystem::DeliverySystem(const Herd::Due& due, int lanes)
    : herd_(due),
      scheduler_("scheduler-svc", environment()),
      worker_("worker-svc",
              environment({{"PROVIDER_URL", sink_.url()}, {"QUEUE_CONCURRENCY", std::to_string(lanes)}})) {}

double DeliverySystem::deliver(const std::function<void(std::int64_t)>& watch) {
    const auto& due = herd_.due();
    herd_.release();
    const auto start = std::chrono::steady_clock::now();
    support::eventually(
        [&] {
            const auto emails = sink_.emails();
            if (watch) watch(emails);
            return emails >= due.messages;
        },
        60s + due.span() + due.messages * 2ms);
    support::eventually([this] { return herd_.all_sent(); }, 60s);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Cost DeliverySystem::cost() {
    return {herd_.connection(),
            {{"postgres", server_process(herd_.connection())},
             {"rabbitmq", listener_on(broker_.settings().url.port)},
             {"scheduler", scheduler_.process().pid()},
             {"worker", worker_.process().pid()},
             {"sink", sink_.pid()}},
            {{"scheduler", &scheduler_}, {"worker", &worker_}}};
}

support::Environment DeliverySystem::environment(support::Environment more) const {
    more.insert({{"APP_ENV", "development"},
                 {"LOG_LEVEL", "warn"},
                 {"DATABASE_URL", herd_.url()},
                 {"AMQP_URL", broker_.url()},
                 {"QUEUE_PREFIX", broker_.prefix()}});
    return more;
}

}  // namespace bench
