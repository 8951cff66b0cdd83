#include "services/worker/lanes.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "libcore/http/connection.hpp"
#include "libcore/killpoint/killpoint.hpp"
#include "services/worker/provider.hpp"

namespace worker {

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// More would be claimed far ahead of what one batch of outcomes records.
constexpr int max_backlog = 1'000;
// A pause up to this long is waited for with the lease in hand; a longer one is not worth holding it.
constexpr auto short_pause = 2s;
// Far more than one turn of the lanes' thread takes.
constexpr auto patience = 1s;
// A deadline that is noticed so late was not watched: this process had been stopped, or had no processor.
constexpr auto absence = 200ms;

template <class Duration>
std::chrono::milliseconds in_milliseconds(Duration duration) {
    return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

domain::Instant wall_clock() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

// Pointers and values only: the frame outlives nothing it refers to but the Lanes, which wait for it.
asio::awaitable<void> run_lane(Lanes* lanes, std::shared_ptr<http::Origin> origin) {
    http::Connection connection(origin);
    asio::steady_timer timer(lanes->io_);
    boost::system::error_code ignored;
    for (;;) {
        std::optional<Job> job = lanes->next_job();
        if (!job && lanes->draining_) co_return;
        if (!job) {
            timer.expires_at(Clock::time_point::max());
            lanes->idle_.push_back(&timer);
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            continue;
        }
        Lanes::Decision decision = lanes->decide(*job);
        while (decision.kind == Lanes::Decision::Kind::wait) {
            lanes->lane_at_gate_ = true;
            timer.expires_after(decision.delay);
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            lanes->lane_at_gate_ = false;
            decision = lanes->decide(*job);
        }
        lanes->wake_another();
        if (decision.kind == Lanes::Decision::Kind::give_back) {
            lanes->give_back(std::move(*job), in_milliseconds(decision.delay));
            continue;
        }
        if (decision.kind == Lanes::Decision::Kind::suppress) {
            lanes->suppress(std::move(*job));
            continue;
        }
        const Clock::time_point sent_at = Clock::now();
        // The lease is what counts where the process was stopped since the decision.
        const Clock::time_point deadline = std::min(sent_at + lanes->provider_.timeout, job->lease_ends);
        http::Request request = lanes->request_for(*job);
        KILLPOINT("request.ready");
        const http::Answer answer = co_await connection.send(std::move(request), deadline);
        lanes->answered(std::move(*job), answer, sent_at, deadline);
    }
}

Lanes::Lanes(const Settings& settings, ProviderRate* rate, runtime::Registry& registry, Ports ports)
    : provider_(settings.provider),
      recipients_(settings.recipients),
      lane_count_(settings.lanes),
      rate_(rate),
      lease_(settings.lease),
      retry_{.in_doubt = settings.in_doubt},
      ports_(std::move(ports)),
      work_(io_.get_executor()),
      gate_(settings.lanes, rate, registry),
      hold_ends_(io_),
      // Nothing is known yet: claim little at first.
      seconds_per_job_(std::chrono::duration<double>(settings.provider.timeout).count() / 10),
      duration_(
          registry.histogram("delivery_duration_seconds", "Time from the request to the provider's answer")),
      in_flight_(registry.gauge("deliveries_in_flight", "Requests waiting for the provider's answer")),
      credentials_refused_(
          registry.counter("provider_credentials_refused_total", "Answers 401 and 403 of the provider")) {
    const auto origin = std::make_shared<http::Origin>(io_.get_executor(), provider_.url, provider_.ca_file);
    for (int i = 0; i < lane_count_; ++i) {
        // A lane that ends by an exception is a bug: let it end the process, not shrink the worker.
        asio::co_spawn(io_, run_lane(this, origin), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
    }
    thread_ = std::jthread([this] { io_.run(); });
}

Lanes::~Lanes() {
    drain();
}

void Lanes::drain() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
        draining_ = true;
        give_back_waiting(Clock::time_point::max());
        hold_ends_.cancel();
        for (asio::steady_timer* timer : std::exchange(idle_, {})) timer->cancel();
        work_.reset();
    });
    thread_.join();
}

void Lanes::add(std::vector<Job> jobs) {
    backlog_ += static_cast<int>(jobs.size());
    asio::post(io_, [this, jobs = std::move(jobs)]() mutable { start(jobs); });
}

void Lanes::recall(Clock::time_point paused_at) {
    asio::post(io_, [this, paused_at] {
        recalled_until_ = paused_at;
        give_back_waiting(paused_at);
    });
}

int Lanes::room() const {
    const auto time = lease_ - longest_send();
    const int by_rate = rate_ != nullptr ? rate_->startable(time) : max_backlog;
    // Half open, only the probe and the ramp will go through.
    if (gate_.ramping()) return std::min(lane_count_, by_rate) - backlog_;
    const double of_each_lane = std::chrono::duration<double>(time).count() / seconds_per_job_;
    const double by_pace = std::min<double>(max_backlog, gate_.width() * of_each_lane);
    return std::min(by_rate, std::max(lane_count_, static_cast<int>(by_pace))) - backlog_;
}

// The request, and the time its outcome takes to the ledger.
std::chrono::milliseconds Lanes::longest_send() const {
    return provider_.timeout + lease_ / 10;
}

std::optional<CircuitReport> Lanes::circuit(const std::optional<CircuitOrder>& order) {
    struct Question {
        std::promise<CircuitReport> answer;
        std::atomic<bool> settled = false;  ///< taken up or given up, whichever was first
    };
    const auto question = std::make_shared<Question>();
    auto answered = question->answer.get_future();
    asio::post(io_, [this, order, question] {
        if (question->settled.exchange(true)) return;
        if (order) obey(*order);
        question->answer.set_value(gate_.report(Clock::now()));
    });
    const bool late = answered.wait_for(patience) != std::future_status::ready;
    if (late && !question->settled.exchange(true)) return std::nullopt;
    return answered.get();
}

void Lanes::obey(const CircuitOrder& order) {
    const auto now = Clock::now();
    gate_.obey(order, now);
    ports_.hungry();
    hold_ends_.cancel();
    if (!order.hold || draining_) return;
    hold_ends_.expires_at(now + order.length);
    hold_ends_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) gate_.look(Clock::now());
    });
}

std::optional<Clock::time_point> Lanes::busy_since() {
    const auto asked_at = asked_at_.load();
    if (asked_at != Clock::time_point{}) return asked_at;
    asked_at_ = Clock::now();
    asio::post(io_, [this] { asked_at_ = Clock::time_point{}; });
    return std::nullopt;
}

void Lanes::start(std::vector<Job>& jobs) {
    for (Job& job : jobs) waiting_.push_back(std::move(job));
    if (lane_at_gate_) return;
    for (std::size_t woken = 0; woken < jobs.size() && !idle_.empty(); ++woken) {
        idle_.back()->cancel();
        idle_.pop_back();
    }
}

std::optional<Job> Lanes::next_job() {
    if (waiting_.empty() || lane_at_gate_) return std::nullopt;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    return job;
}

// Each lane that gets past the gate sends the next one there.
void Lanes::wake_another() {
    if (waiting_.empty() || idle_.empty()) return;
    idle_.back()->cancel();
    idle_.pop_back();
}

// They wait in the order in which they were claimed.
void Lanes::give_back_waiting(Clock::time_point claimed_until) {
    while (!waiting_.empty() && waiting_.front().claimed_at <= claimed_until) {
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        give_back(std::move(job), 0ms);
    }
}

Lanes::Decision Lanes::decide(const Job& job) {
    const auto now = Clock::now();
    const bool lease_too_short = job.lease_ends - now < longest_send();
    const bool recalled = job.claimed_at <= recalled_until_;
    if (lease_too_short || recalled || draining_) return {Decision::Kind::give_back};
    if (!recipients_.allows(job.message.recipient_email)) return {Decision::Kind::suppress};
    if (const auto closed = closed_for(); closed > short_pause) return {Decision::Kind::give_back, closed};
    const int needed = 1 + static_cast<int>(waiting_.size());
    if (const auto wait = gate_.pass(now, needed); wait > 0ns) return {Decision::Kind::wait, wait};
    in_flight_.Increment();
    return {Decision::Kind::send};
}

http::Request Lanes::request_for(const Job& job) const {
    const postgres::Claimed& message = job.message;
    return make_request({message.recipient_email, message.content, message.idempotency_key}, provider_);
}

void Lanes::answered(Job job, const http::Answer& raw, Clock::time_point sent_at,
                     Clock::time_point deadline) {
    KILLPOINT("answer.received");
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - sent_at).count();
    in_flight_.Decrement();
    duration_.Observe(seconds);
    seconds_per_job_ = 0.95 * seconds_per_job_ + 0.05 * std::max(seconds, 1e-5);

    domain::Answer answer = interpret(raw);
    const auto last_try = job.claimed_at - job.message.since_last_try.value_or(std::chrono::hours(24 * 365));
    const domain::Past past{.failures = job.message.failures,
                            .in_doubt = job.message.in_doubt,
                            .provider_has_succeeded_since = last_success_ && *last_success_ >= last_try};
    const double jitter = std::uniform_real_distribution(0.0, 1.0)(random_);
    const domain::Outcome outcome = domain::decide(answer, past, retry_, jitter);

    const bool delivered = outcome.ending == domain::Ending::sent;
    if (delivered) last_success_ = now;
    if (domain::refuses_credentials(answer)) tell_of_refusal(answer.http_status);
    const bool told = answer.kind == domain::Answer::Kind::responded || now - deadline < absence;
    told ? gate_.answered(answer, delivered, sent_at, now) : gate_.missed(now);

    const auto finished_at = wall_clock();
    postgres::Attempted attempted{
        .message_id = job.message.message_id,
        .delivery_date = job.message.delivery_date,
        .attempt = job.message.attempt,
        .outcome = outcome,
        .http_status = answer.http_status,
        .body = std::move(answer.body),
        .error = std::move(answer.error),
        .started_at = finished_at - std::chrono::duration_cast<std::chrono::microseconds>(now - sent_at),
        .finished_at = finished_at};
    ports_.finished({job.tag, std::move(job.message.trace), std::move(attempted)});
    job_done();
}

void Lanes::tell_of_refusal(int http_status) {
    credentials_refused_.Increment();
    if (const auto suppressed = refusal_limit_.pass()) {
        runtime::log::error("the provider refuses this worker's credentials",
                            {{"http_status", http_status}, {"suppressed", *suppressed}});
    }
}

void Lanes::give_back(Job job, std::chrono::milliseconds delay) {
    std::string trace = job.message.trace;
    ports_.finished({job.tag, std::move(trace), GivenBack{std::move(job.message), delay}});
    job_done();
}

// Neither a success nor a failure of the provider: the breaker is not told.
void Lanes::suppress(Job job) {
    const auto now = wall_clock();
    postgres::Attempted suppressed{
        .message_id = job.message.message_id,
        .delivery_date = job.message.delivery_date,
        .attempt = job.message.attempt,
        .outcome = domain::suppress({.failures = job.message.failures, .in_doubt = job.message.in_doubt}),
        .body = {},
        .error = not_in_allowlist,
        .started_at = now,
        .finished_at = now};
    ports_.finished({job.tag, std::move(job.message.trace), std::move(suppressed)});
    job_done();
}

void Lanes::job_done() {
    // Half, so that the next claim is worth its transaction.
    const int backlog = --backlog_;
    if (room() >= backlog) ports_.hungry();
}

}  // namespace worker
