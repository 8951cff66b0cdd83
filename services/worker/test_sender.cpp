#include "services/worker/test_sender.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>

#include "libcore/http/connection.hpp"
#include "libcore/postgres/test_sends_table.hpp"
#include "services/worker/provider.hpp"

namespace worker {

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr auto idle_pause = 1s;
// Never tried again: what may have arrived is left unknown.
constexpr domain::RetryPolicy once{.retries = 0, .in_doubt = domain::InDoubt::park};

asio::awaitable<http::Answer> send(std::shared_ptr<http::Origin> origin, http::Request request,
                                   http::Connection::Deadline deadline) {
    http::Connection connection(origin);
    http::Answer answer = co_await connection.send(std::move(request), deadline);
    co_return answer;
}

}  // namespace

TestSender::TestSender(const Settings& settings, postgres::Pool& pool, runtime::Registry& registry)
    : provider_(settings.provider),
      recipients_(settings.recipients),
      lease_(settings.lease),
      pool_(pool),
      origin_(std::make_shared<http::Origin>(io_.get_executor(), provider_.url, provider_.ca_file)) {
    using domain::Ending;
    for (const auto& [ending, outcome] :
         {std::pair{Ending::sent, "SENT"}, {Ending::failed, "FAILED"}, {Ending::unknown, "UNKNOWN"}}) {
        outcomes_[ending] = &registry.counter("test_sends_total", "Test messages by what came of them",
                                              {{"outcome", outcome}});
    }
}

std::chrono::milliseconds TestSender::run_once() {
    const auto message = postgres::take_test_send(pool_, lease_);
    if (!message) return idle_pause;
    domain::Answer answer{.kind = domain::Answer::Kind::not_sent, .error = not_in_allowlist};
    if (recipients_.allows(message->recipient_email)) answer = interpret(post(*message));
    const auto ending = domain::decide(answer, {}, once, 0).ending;
    postgres::finish_test_send(pool_, message->id, ending, answer.http_status, answer.error);
    outcomes_.at(ending)->Increment();
    return 0ms;
}

http::Answer TestSender::post(const domain::TestSend& message) {
    const auto deadline = std::chrono::steady_clock::now() + provider_.timeout;
    const std::string key = "test-send:" + domain::to_string(message.id);
    http::Request request = make_request({message.recipient_email, message.message_content, key}, provider_);
    std::optional<http::Answer> answer;
    asio::co_spawn(io_, send(origin_, std::move(request), deadline),
                   [&](std::exception_ptr error, http::Answer sent) {
                       if (error) std::rethrow_exception(error);
                       answer = std::move(sent);
                   });
    io_.restart();
    while (!answer) io_.run_one();
    return *answer;
}

}  // namespace worker
