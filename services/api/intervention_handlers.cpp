#include <chrono>
#include <semaphore>

#include "libcore/json/explanation.hpp"
#include "libcore/json/intervention.hpp"
#include "libcore/postgres/cancel_table.hpp"
#include "libcore/postgres/explain_table.hpp"
#include "libcore/postgres/replay_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

using Input = std::variant<json::InterventionInput, json::Problem>;

// A request ends after so many messages, or so long, and says how far it came.
constexpr int most_done = 5'000;
constexpr std::chrono::seconds longest{5};

// Each holds a connection for seconds; the others are for everybody else. Replays do not keep anybody from
// cancelling.
using Places = std::counting_semaphore<2>;
Places replays(2);
Places cancels(2);

/// Nobody waits for a place: the threads are few, and one of them must be free to stop everything.
class Place {
public:
    explicit Place(Places& places) : places_(places), taken_(places.try_acquire()) {}
    ~Place() {
        if (taken_) places_.release();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    explicit operator bool() const { return taken_; }

private:
    Places& places_;
    const bool taken_;
};

json::Problem busy() {
    return {503, "busy", "Others are replaying or cancelling many messages. Please try again."};
}

Input read_input(const Call& call, json::InterventionKind kind) {
    auto body = read_body(call.request);
    if (auto* problem = std::get_if<json::Problem>(&body)) return std::move(*problem);
    auto input = json::decode_intervention(std::get<json::Value>(body), kind);
    if (!input) return problem_of(input.errors());
    return std::move(*input);
}

json::Problem no_such_message() {
    return {404, "not_found", "There is no such message."};
}

json::Problem problem_of(const domain::Refused& refused, std::string_view action) {
    const std::string status(refused.status ? domain::to_string(*refused.status) : "");
    switch (refused.refusal) {
        case domain::Refusal::no_such_message:
            break;
        case domain::Refusal::in_flight:
            return {409, "in_flight", "A worker is sending this message. Please ask again in a minute."};
        case domain::Refusal::wrong_status:
            return {409, "wrong_status",
                    "A message that is " + status + " cannot be " + std::string(action) + "."};
        case domain::Refusal::type_deleted:
            return {409, "type_deleted", "Its message type is deleted."};
        case domain::Refusal::recipient_gone:
            return {409, "recipient_gone", "Its recipient is deleted or has opted out."};
        case domain::Refusal::date_gone:
            return {409, "date_gone", "Its date is no longer one that its recipient keeps."};
        case domain::Refusal::already_sent:
            return {409, "already_sent", "It was delivered. It is sent again only with force."};
        case domain::Refusal::past_deadline:
            return {409, "past_deadline", "It is later than its type allows. It is sent only with late."};
        case domain::Refusal::key_expired:
            return {409, "key_expired",
                    "The provider may have it, and may not know its key any more: it could be delivered "
                    "twice. It is sent only with force."};
    }
    return no_such_message();
}

/// As it is now: it may have moved on already.
Answer message_now(const Call& call) {
    const auto history = postgres::message_history(call.pool, call.id);
    if (!history) return no_such_message();
    return runtime::Reply{.body = json::encode(*history), .headers = {}};
}

/// Step by step, each committed, so that it can be broken off anywhere and gone on with.
template <class Step>
Answer do_shown(const Call& call, const json::InterventionInput& input, postgres::Action action, Step step) {
    auto progress = postgres::progress_of(call.pool, *input.token, action);
    if (!progress)
        return json::Problem{404, "not_found",
                             "Nothing was shown under this token; they are kept for a day."};
    if (progress->shown != input.count)
        return json::Problem{409, "count_differs",
                             "The count is not the one that was shown with this token."};
    const auto started = std::chrono::steady_clock::now();
    const int before = progress->done;
    while (!progress->finished && progress->done - before < most_done &&
           std::chrono::steady_clock::now() - started < longest) {
        const auto next = step();
        if (!next) return json::Problem{404, "not_found", "What was shown has been forgotten meanwhile."};
        progress = next;
    }
    return runtime::Reply{.body = json::encode(*input.token, *progress), .headers = {}};
}

}  // namespace

Answer replay_message(const Call& call) {
    const auto read = read_input(call, json::InterventionKind::replay_one);
    if (const auto* problem = std::get_if<json::Problem>(&read)) return *problem;
    const auto& input = std::get<json::InterventionInput>(read);
    const auto refused =
        postgres::replay(call.pool, call.id, {call.actor, input.reason}, input.options, call.key_life);
    if (refused) return problem_of(*refused, "replayed");
    return message_now(call);
}

Answer cancel_message(const Call& call) {
    const auto read = read_input(call, json::InterventionKind::cancel_one);
    if (const auto* problem = std::get_if<json::Problem>(&read)) return *problem;
    const auto& input = std::get<json::InterventionInput>(read);
    if (const auto refused = postgres::cancel(call.pool, call.id, {call.actor, input.reason}))
        return problem_of(*refused, "cancelled");
    return message_now(call);
}

Answer replay_messages(const Call& call) {
    const auto read = read_input(call, json::InterventionKind::replay_many);
    if (const auto* problem = std::get_if<json::Problem>(&read)) return *problem;
    const auto& input = std::get<json::InterventionInput>(read);
    const Place place(replays);
    if (!place) return busy();
    if (input.token)
        return do_shown(call, input, postgres::Action::replay, [&] {
            return postgres::replay_shown(call.pool, *input.token, call.actor, call.key_life);
        });
    if (auto faults = domain::replay_faults(input.filter, input.options); !faults.empty())
        return problem_of(std::move(faults));
    const auto shown = postgres::show_replay(call.pool, {call.actor, input.reason}, input.filter,
                                             input.options, input.per_minute, call.key_life);
    return runtime::Reply{.body = json::encode(shown), .headers = {}};
}

Answer cancel_messages(const Call& call) {
    const auto read = read_input(call, json::InterventionKind::cancel_many);
    if (const auto* problem = std::get_if<json::Problem>(&read)) return *problem;
    const auto& input = std::get<json::InterventionInput>(read);
    const Place place(cancels);
    if (!place) return busy();
    if (input.token)
        return do_shown(call, input, postgres::Action::cancel,
                        [&] { return postgres::cancel_shown(call.pool, *input.token, call.actor); });
    if (auto faults = domain::cancel_faults(input.filter); !faults.empty())
        return problem_of(std::move(faults));
    const auto shown = postgres::show_cancel(call.pool, {call.actor, input.reason}, input.filter);
    return runtime::Reply{.body = json::encode(shown), .headers = {}};
}

}  // namespace api
