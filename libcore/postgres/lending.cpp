// Those who ask: who is served, who waits, who is refused.

#include "libcore/postgres/lending.hpp"

#include <algorithm>
#include <stdexcept>

namespace postgres {

namespace {

using namespace std::chrono_literals;

// Sooner would only add to what there is too much of.
constexpr std::chrono::milliseconds least_retry_after = 1s;

}  // namespace

Lending::Answer Lending::ask(const Ask& ask, Time now, Actions& actions) {
    if (anybody_waits()) serve(now, actions);
    Line& line = line_of(ask.use);
    if (line.empty() && reserved_.empty())
        if (const auto granted = grant(ask.use, now, actions)) return *granted;
    if (const auto refused = refusal(ask, now)) return *refused;
    line.push_back(ask);
    line.back().since = now;
    if (ask.use == Use::ordinary && !is_paused(now))
        shedding_.waiting(now - ordinary_.front().since, standing(), now);
    look_again(waiting_due(now));
    return Waits{};
}

Lending::Refusal Lending::give_up(Who who, Time now) {
    for (Line* line : {&ordinary_, &reserved_}) {
        const auto found = std::ranges::find(*line, who, &Ask::who);
        if (found == line->end()) continue;
        const Refusal answer = refuse(is_paused(now) ? Reason::paused : Reason::late, now);
        line->erase(found);
        return answer;
    }
    throw std::logic_error("who gives up does not wait");
}

Lending::Answer Lending::found_dead(int place, const Ask& ask, Time now, Actions& actions) {
    vacate(place);
    const Answer answer = ask_again(ask, now, actions);
    serve(now, actions);
    return answer;
}

Lending::Answer Lending::server_full(int place, const Ask& ask, Time now, Actions& actions) {
    failed(place, now, actions, Failure::too_many);
    if (staying() == 0) return refuse(Reason::unreachable, now);
    return ask_again(ask, now, actions);
}

/// He has had his turn: nobody is before him.
Lending::Answer Lending::ask_again(const Ask& ask, Time now, Actions& actions) {
    if (closed_) return refuse(Reason::closed, now);
    if (ask.deadline <= now) return refuse(Reason::late, now);
    if (const auto granted = grant(ask.use, now, actions)) return *granted;
    if (!circuit_.admits(now)) return refuse(Reason::circuit, now);
    line_of(ask.use).push_front(ask);
    return Waits{};
}

/// To whoever waits longest, as much as there is.
void Lending::serve(Time now, Actions& actions) {
    if (!anybody_waits()) return;
    shed(now, actions);
    serve(reserved_, now, actions);
    if (reserved_.empty()) serve(ordinary_, now, actions);
}

void Lending::serve(Line& line, Time now, Actions& actions) {
    while (!line.empty()) {
        const Ask& first = line.front();
        const auto granted = grant(first.use, now, actions);
        if (!granted) return;
        actions.granted.emplace_back(first.who, *granted);
        if (first.use == Use::ordinary) shedding_.turn(now - first.since, standing(), now);
        line.pop_front();
    }
}

/// Those who would come too late, and under overload those who have waited too long.
void Lending::shed(Time now, Actions& actions) {
    const auto refuse_first = [&](Line& line, Reason reason) {
        actions.refused.emplace_back(line.front().who, refuse(reason, now));
        line.pop_front();
    };
    const auto late = is_paused(now) ? Reason::paused : Reason::late;
    for (Line* line : {&reserved_, &ordinary_})
        while (!line->empty() && line->front().deadline <= now) refuse_first(*line, late);
    if (ordinary_.empty() || is_paused(now)) return;
    shedding_.waiting(now - ordinary_.front().since, standing(), now);
    while (standing() && shedding_.overloaded(now) &&
           now - ordinary_.front().since >= shedding_.longest_wait())
        refuse_first(ordinary_, Reason::shed);
}

/// The one used last: it is the likeliest to be sound, and the others may rest long enough to be closed.
std::optional<Lending::Grant> Lending::grant(Use use, Time now, Actions& actions) {
    if (closed_ || is_paused(now) || !circuit_.admits(now) || !may_lend(use)) return std::nullopt;
    while (!idle_.empty()) {
        const int place = idle_.back();
        idle_.pop_back();
        if (const auto reason = over(at(place), now)) {
            retire(place, *reason, actions);
            continue;
        }
        at(place).state = Place::State::active;
        at(place).use = use;
        ++at(place).uses;
        count_out(use, 1);
        probe(place);
        return Grant{place, false, now - at(place).since};
    }
    if (total_ >= most() || !throttle_.admits(now)) return std::nullopt;
    const int place = start_opening(Place::State::opening, now);
    at(place).use = use;
    probe(place);
    count_out(use, 1);
    return Grant{place, true, {}};
}

/// What is known already: waiting would be in vain.
std::optional<Lending::Refusal> Lending::refusal(const Ask& ask, Time now) const {
    if (closed_) return refuse(Reason::closed, now);
    if (!circuit_.admits(now)) return refuse(Reason::circuit, now);
    if (ask.deadline <= now) return refuse(Reason::late, now);
    if (total_ == closing_ && throttle_.next() > ask.deadline)
        return refuse(throttle_.failing() ? Reason::unreachable : Reason::late, now);
    if (ask.use == Use::reserved || ordinary_.empty()) return std::nullopt;
    if (ordinary_.size() >= max_waiting()) return refuse(Reason::full, now);
    if (!is_paused(now) && standing() && shedding_.overloaded(now) && ask.deadline - now < shedding_.target())
        return refuse(Reason::shed, now);
    return std::nullopt;
}

Lending::Refusal Lending::refuse(Reason reason, Time now) const {
    Duration longest{};
    for (const Line* line : {&reserved_, &ordinary_})
        if (!line->empty()) longest = std::max(longest, now - line->front().since);
    if (reason == Reason::circuit && !circuit_.lacks_server()) longest = (circuit_.until() - now) / 2;
    return {reason, std::max(least_retry_after, std::chrono::ceil<std::chrono::milliseconds>(2 * longest))};
}

void Lending::refuse_all(Reason reason, Time now, Actions& actions) {
    for (Line* line : {&reserved_, &ordinary_}) {
        for (const Ask& ask : *line) actions.refused.emplace_back(ask.who, refuse(reason, now));
        line->clear();
    }
}

std::size_t Lending::max_waiting() const {
    constexpr int of_each = 10, at_least = 64;
    return static_cast<std::size_t>(settings_.max_waiting.value_or(std::max(of_each * max_, at_least)));
}

int Lending::reserve() const {
    constexpr int enough_to_share = 4;
    return std::clamp(settings_.reserve.value_or(max_ >= enough_to_share ? 1 : 0), 0, most() - 1);
}

/// Enough to keep every connection busy once more: what is behind them waits for more than one to finish.
bool Lending::standing() const {
    return static_cast<int>(ordinary_.size()) > max_;
}

Lending::Time Lending::waiting_due(Time now) const {
    if (is_paused(now)) return anybody_waits() ? paused_until_ : Time::max();
    Time due = Time::max();
    const Use first = reserved_.empty() ? Use::ordinary : Use::reserved;
    if (anybody_waits() && total_ < most() && may_lend(first) && circuit_.admits(now)) due = throttle_.next();
    if (standing()) due = std::min(due, shedding_.look_at(ordinary_.front().since, now));
    return due;
}

}  // namespace postgres
