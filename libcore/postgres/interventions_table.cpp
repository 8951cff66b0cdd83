#include "libcore/postgres/interventions_table.hpp"

namespace postgres {

namespace {

constexpr Statement select_now{"instant_of_showing", "SELECT app_now()"};

constexpr Statement insert{"remember_intervention", R"sql(
    WITH forgotten AS (DELETE FROM interventions WHERE shown_at < $5::timestamptz - interval '1 day')
    INSERT INTO interventions (id, action, reason, shown_by, shown_at, shown, status, message_type, planned_from,
                               planned_to, response_code, error, late, forced, per_minute)
    VALUES (gen_random_uuid(), $1, $2, $3, $5, $4, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    RETURNING id)sql"};

#define INTERVENTION_COLUMNS                                                                        \
    " reason, status, message_type, planned_from, planned_to, response_code, error, late, forced, " \
    "per_minute, shown_at, shown, done, place, place_id, next_at, finished_at IS NOT NULL "

constexpr Statement select_one{
    "intervention", "SELECT" INTERVENTION_COLUMNS "FROM interventions WHERE id = $1 AND action = $2"};

constexpr Statement lock_one{"take_intervention",
                             "SELECT" INTERVENTION_COLUMNS
                             "FROM interventions WHERE id = $1 AND action = $2 FOR UPDATE"};

constexpr Statement update{"note_intervention", R"sql(
    UPDATE interventions SET done = $2, place = $3, place_id = $4, next_at = $5,
                             finished_at = CASE WHEN $6::boolean THEN coalesce(finished_at, app_now()) END
    WHERE id = $1)sql"};

const char* name_of(Action action) {
    return action == Action::replay ? "replay" : "cancel";
}

std::optional<Intervention> read(const Rows& rows, const domain::Uuid& id, Action action) {
    if (rows.empty()) return std::nullopt;
    const Row row = rows.front();
    Intervention found{
        .id = id, .action = action, .reason = row.get<std::string>(0), .filter = {}, .options = {}};
    if (const auto status = row.get<std::optional<std::string_view>>(1))
        found.filter.status = domain::parse_status(*status);
    found.filter.message_type = row.get<std::optional<std::string>>(2);
    found.filter.from = row.get<std::optional<domain::Instant>>(3);
    found.filter.to = row.get<std::optional<domain::Instant>>(4);
    found.filter.response_code = row.get<std::optional<int>>(5);
    found.filter.error = row.get<std::optional<std::string>>(6);
    found.options = {.late = row.get<bool>(7), .forced = row.get<bool>(8)};
    found.per_minute = row.get<int>(9);
    found.shown_at = row.get<domain::Instant>(10);
    found.shown = row.get<int>(11);
    found.done = row.get<int>(12);
    found.place = row.get<std::optional<domain::Instant>>(13);
    found.place_id = row.get<std::optional<domain::Uuid>>(14);
    found.next_at = row.get<std::optional<domain::Instant>>(15);
    found.finished = row.get<bool>(16);
    return found;
}

}  // namespace

domain::Instant instant_of_showing(Transaction& transaction) {
    return transaction.run(select_now).front().get<domain::Instant>(0);
}

domain::Uuid remember(Transaction& transaction, const Intervention& intervention, std::string_view actor) {
    const auto& filter = intervention.filter;
    std::optional<std::string_view> status;
    if (filter.status) status = domain::to_string(*filter.status);
    return transaction
        .run(insert, name_of(intervention.action), intervention.reason, actor, intervention.shown,
             intervention.shown_at, status, filter.message_type, filter.from, filter.to, filter.response_code,
             filter.error, intervention.options.late, intervention.options.forced, intervention.per_minute)
        .front()
        .get<domain::Uuid>(0);
}

std::optional<Intervention> take(Transaction& transaction, const domain::Uuid& id, Action action) {
    return read(transaction.run(lock_one, id, name_of(action)), id, action);
}

void advance(Intervention& intervention, const Rows& step) {
    intervention.finished = step.empty();
    if (step.empty()) return;
    const Row row = step.front();
    intervention.done += row.get<int>(0);
    intervention.place = row.get<domain::Instant>(1);
    intervention.place_id = row.get<domain::Uuid>(2);
    intervention.finished = intervention.done >= intervention.shown;
}

void note_progress(Transaction& transaction, const Intervention& intervention) {
    transaction.run(update, intervention.id, intervention.done, intervention.place, intervention.place_id,
                    intervention.next_at, intervention.finished);
}

domain::Progress progress_of(const Intervention& intervention) {
    return {.shown = intervention.shown,
            .done = intervention.done,
            .finished = intervention.finished,
            .next_due = intervention.next_at};
}

std::optional<domain::Progress> progress_of(Pool& pool, const domain::Uuid& id, Action action) {
    const auto found = read(pool.run(select_one, id, name_of(action)), id, action);
    if (!found) return std::nullopt;
    return progress_of(*found);
}

void choose_by_index(Transaction& transaction) {
    transaction.execute(
        "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off; "
        "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off");
}

}  // namespace postgres
