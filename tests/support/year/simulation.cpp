#include "tests/support/year/simulation.hpp"

#include <algorithm>
#include <stdexcept>

#include "libcore/postgres/pause_table.hpp"
#include "libcore/postgres/users_table.hpp"
#include "tests/support/year/machinery.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;

// What a spread puts between the minutes waits for the next of these, and so does what is tried again.
constexpr auto quantum = 15min;
// A round of planning that nothing waits for: the one before it has planned far beyond the next.
constexpr auto far_enough = 20h;

constexpr postgres::Statement set_type{"year_set_type", R"sql(
    INSERT INTO message_types (name, template, late_template, send_at, gap_rule, fold_rule, leap_day, catch_up,
                               max_lateness, spread)
    VALUES ($1, $2, nullif($3, ''), '00:00'::time + $4::interval, $5, $6, $7, $8::interval, $9::interval,
            $10::interval)
    ON CONFLICT (name) DO NOTHING)sql"};

constexpr postgres::Statement edit_type{"year_edit_type", R"sql(
    UPDATE message_types
    SET template = $2, late_template = nullif($3, ''), send_at = '00:00'::time + $4::interval, gap_rule = $5,
        fold_rule = $6, leap_day = $7, catch_up = $8::interval, max_lateness = $9::interval, spread = $10::interval
    WHERE name = $1)sql"};

constexpr postgres::Statement pause_type{
    "year_pause_type", "UPDATE message_types SET paused_until = $2::timestamptz WHERE name = $1"};

constexpr postgres::Statement add_people{"year_add_people", R"sql(
    INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date, anniversary_date, opted_out)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::date[],
                         $8::boolean[]))sql"};

constexpr postgres::Statement add_dates{"year_add_dates", R"sql(
    INSERT INTO user_occasions (user_id, message_type, date, one_off)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::boolean[]))sql"};

constexpr postgres::Statement remove_date{
    "year_remove_date", "DELETE FROM user_occasions WHERE user_id = $1 AND message_type = $2 AND date = $3"};

class Simulation {
public:
    Simulation(const World& world, const Progress& progress)
        : world_(world), progress_(progress), parts_(world.begin), pool_(parts_.ledger()) {}

    Record run() {
        settle();
        std::optional<Instant> next = world_.begin;
        while (next && *next < world_.end) {
            step(*next);
            next = next_time();
        }
        parts_.finish_planning();
        record_.rows = parts_.rows();
        record_.requests = parts_.requests();
        record_.planning_seconds = parts_.planning_seconds();
        return std::move(record_);
    }

private:
    /// The types and the first people.
    void settle() {
        for (const MessageType& type : world_.types) write(set_type, type);
        constexpr std::size_t batch = 500;
        for (std::size_t first = 0; first < world_.people.size(); first += batch)
            add(first, std::min(first + batch, world_.people.size()));
    }

    void write(const postgres::Statement& statement, const MessageType& type) {
        const auto& rules = type.rules;
        pool_.run(statement, type.name, type.text, type.late_text, milliseconds(rules.send_at),
                  model::text(rules.gap), model::text(rules.fold), model::text(rules.leap_day),
                  milliseconds(rules.catch_up), milliseconds(rules.max_lateness), milliseconds(rules.spread));
    }

    template <class Duration>
    static std::chrono::milliseconds milliseconds(Duration duration) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    }

    void add(std::size_t first, std::size_t last) {
        std::vector<domain::Uuid> ids, owners;
        std::vector<std::string> first_names, last_names, emails, zones, types;
        std::vector<std::optional<domain::Date>> birthdays, anniversaries;
        std::vector<domain::Date> dates;
        std::vector<bool> out, one_off;
        for (std::size_t number = first; number < last; ++number) {
            const auto& [fields, occasions, deleted] = world_.people[number];
            ids.push_back(world_.ids[number]);
            first_names.push_back(fields.first_name);
            last_names.push_back(fields.last_name);
            emails.push_back(fields.email);
            zones.push_back(fields.timezone);
            birthdays.push_back(fields.birthday_date);
            anniversaries.push_back(fields.anniversary_date);
            out.push_back(fields.opted_out);
            for (const auto& occasion : occasions) {
                owners.push_back(world_.ids[number]);
                types.push_back(occasion.type);
                dates.push_back(occasion.date);
                one_off.push_back(occasion.one_off);
            }
        }
        pool_.run(add_people, ids, first_names, last_names, emails, zones, birthdays, anniversaries, out);
        pool_.run(add_dates, owners, types, dates, one_off);
    }

    std::optional<Instant> next_time() {
        std::optional<Instant> next;
        const auto consider = [&](Instant at) {
            if (at > now_ && (!next || at < *next)) next = at;
        };
        if (change_ < world_.changes.size()) consider(world_.changes[change_].at);
        if (planning_ < world_.plannings.size()) consider(world_.plannings[planning_]);
        if (cut_ < world_.cuts.size()) consider(world_.cuts[cut_]);
        if (edit_ < world_.edits.size()) consider(world_.edits[edit_].at);
        for (const Outage& outage : world_.outages) {
            consider(outage.from);
            consider(outage.to);
        }
        if (!suffers(Fault::dispatcher) && !suffers(Fault::pause))
            if (const auto due = parts_.next_due()) consider(moment_for(*due));
        return next;
    }

    /// What is planned for a whole minute is let out then, be it right or wrong.
    static Instant moment_for(Instant due) {
        return due == std::chrono::floor<std::chrono::minutes>(due) ? due : std::chrono::ceil<Quantum>(due);
    }

    const Outage* suffers(Fault fault) const {
        const auto found = std::ranges::find_if(world_.outages, [&](const Outage& outage) {
            return outage.fault == fault && outage.from <= now_ && now_ < outage.to;
        });
        return found == world_.outages.end() ? nullptr : &*found;
    }

    void step(Instant at) {
        if (progress_) progress_(at);
        if (planning_ < world_.plannings.size() && world_.plannings[planning_] <= at)
            parts_.finish_planning();
        const auto midnight = std::chrono::floor<std::chrono::days>(at);
        const bool new_day = midnight != std::chrono::floor<std::chrono::days>(now_);
        record_.steps.push_back({.at = at, .began = real_now()});
        now_ = at;
        parts_.set_clock(at);
        if (new_day) parts_.guard();
        begin_and_end_outages();
        change();
        plan();
        edit();
        deliver();
    }

    static Instant real_now() {
        return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    }

    void begin_and_end_outages() {
        for (const Outage& outage : world_.outages) {
            if (outage.from == now_) begin(outage);
            if (outage.to == now_) end(outage);
        }
    }

    void begin(const Outage& outage) {
        switch (outage.fault) {
            case Fault::planner:
                return parts_.finish_planning();
            case Fault::dispatcher:
                return;
            case Fault::worker:
                return parts_.stop_worker();
            case Fault::pause:
                if (!postgres::pause_deliveries(pool_, "year", "a drill", std::nullopt))
                    throw std::runtime_error("the pause was refused");
                return;
            case Fault::type_pause:
                pool_.run(pause_type, outage.type, outage.to);
                return;
            default:
                parts_.set_provider(outage.fault);
        }
    }

    void end(const Outage& outage) {
        switch (outage.fault) {
            case Fault::planner:
                caught_up_ = false;
                return;
            case Fault::dispatcher:
            case Fault::type_pause:
                return;
            case Fault::worker:
                if (outage.queue_lost) parts_.lose_the_queue();
                if (outage.then_killed) {
                    parts_.kill_a_worker();
                    record_.steps.back().killed = true;
                }
                return parts_.start_worker();
            case Fault::pause:
                postgres::resume_deliveries(pool_, "year", std::nullopt);
                return;
            default:
                parts_.set_provider(std::nullopt);
        }
    }

    /// A planner that meets a change leaves a message for the person as they were: it is put right when it is
    /// due, together with whatever else they are owed then, planner or not. So it would depend on real time
    /// what a planner that is stopped has left undone.
    void change() {
        if (change_ == world_.changes.size() || world_.changes[change_].at > now_) return;
        parts_.finish_planning();
        while (change_ < world_.changes.size() && world_.changes[change_].at <= now_)
            apply(world_.changes[change_++]);
    }

    void apply(const Change& change) {
        const auto& id = world_.ids[change.person];
        const auto& fields = change.after.fields;
        bool done = false;
        switch (change.kind) {
            case Change::Kind::added:
                done = static_cast<bool>(postgres::insert_user(pool_, id, fields));
                break;
            case Change::Kind::edited: {
                const auto changed = postgres::change_user(
                    pool_, id, [&](const auto&) { return domain::Result<domain::UserFields>(fields); });
                done = changed && *changed;
                break;
            }
            case Change::Kind::deleted:
                done = postgres::delete_user(pool_, id);
                break;
            case Change::Kind::date_added:
                pool_.run(add_dates, std::vector{id}, std::vector{change.date.type},
                          std::vector{change.date.date}, std::vector<bool>{change.date.one_off});
                return;
            case Change::Kind::date_removed:
                done = pool_.run(remove_date, id, change.date.type, change.date.date).affected() == 1;
                break;
        }
        if (!done) throw std::runtime_error("a change of " + fields.email + " was refused");
    }

    void plan() {
        bool tick = false;
        while (planning_ < world_.plannings.size() && world_.plannings[planning_] <= now_) {
            tick = true;
            ++planning_;
        }
        if (suffers(Fault::planner) || (!tick && caught_up_)) return;
        begin_planning();
        if (!caught_up_ || now_ - planned_at_ > far_enough || is_last_round()) parts_.finish_planning();
        caught_up_ = true;
        planned_at_ = now_;
    }

    /// A round that meets a later clock plans farther: nothing to worry about when another follows.
    bool is_last_round() const {
        const auto next = planning_ < world_.plannings.size() ? world_.plannings[planning_] : world_.end;
        return std::ranges::any_of(world_.outages, [&](const Outage& outage) {
            return outage.fault == Fault::planner && now_ < outage.from && outage.from <= next;
        });
    }

    void begin_planning() {
        record_.steps.back().planned = true;
        parts_.begin_planning();
    }

    /// Between two rounds of planning: of no day it is in doubt whether it was planned by the rules of
    /// before.
    void edit() {
        for (; edit_ < world_.edits.size() && world_.edits[edit_].at <= now_; ++edit_) {
            begin_planning();
            parts_.finish_planning();
            write(edit_type, world_.edits[edit_].type);
            parts_.replan();
            begin_planning();
            parts_.finish_planning();
        }
    }

    void deliver() {
        Step& step = record_.steps.back();
        step.dispatching = !suffers(Fault::dispatcher);
        step.working = !suffers(Fault::worker);
        step.paused = suffers(Fault::pause) != nullptr;
        if (suffers(Fault::provider_unavailable) || suffers(Fault::provider_refusing))
            step.provider = Provider::away;
        if (suffers(Fault::provider_slow) || suffers(Fault::provider_dropping))
            step.provider = Provider::doubtful;
        if (cut_ < world_.cuts.size() && world_.cuts[cut_] <= now_) {
            if (step.dispatching) parts_.dispatch();
            parts_.cut_connections();
            while (cut_ < world_.cuts.size() && world_.cuts[cut_] <= now_) ++cut_;
        }
        if (!parts_.work(step.dispatching)) ++record_.restless_steps;
    }

    using Quantum = std::chrono::duration<int, std::ratio<15 * 60>>;
    static_assert(Quantum(1) == quantum);

    const World& world_;
    const Progress& progress_;
    Machinery parts_;
    postgres::Pool& pool_;
    Record record_;
    Instant now_ = world_.begin - 24h;
    Instant planned_at_{};
    bool caught_up_ = false;  ///< with what a planner would have done
    std::size_t change_ = 0;
    std::size_t planning_ = 0;
    std::size_t cut_ = 0;
    std::size_t edit_ = 0;
};

}  // namespace

Record live(const World& world, const Progress& progress) {
    return Simulation(world, progress).run();
}

}  // namespace year
