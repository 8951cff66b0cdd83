#include "libcore/postgres/interventions_table.hpp"

namespace postgres {

namespace {

constexpr Statement insert{"remember_intervention", R"sql(
    WITH forgotten AS (DELETE FROM interventions WHERE shown_at < app_now() - interval '1 day')
    INSERT INTO interventions (id, action, reason, shown_by, shown_at, status, message_type, planned_from, planned_to,
                               response_code, error, late, forced, per_minute)
    VALUES (gen_random_uuid(), $1, $2, $3, app_now(), $4, $5, $6, $7, $8, $9, $10, $11, $12)
    RETURNING id, shown_at)sql"};

// Whether or not another show has cleared it away.
#define IS_REMEMBERED " AND shown_at >= app_now() - interval '1 day' "

#define INTERVENTION_COLUMNS \
    " reason, status, late, forced, per_minute, shown_at, shown, done, next_at, finished_at IS NOT NULL "

constexpr Statement select_one{"intervention",
                               "SELECT" INTERVENTION_COLUMNS
                               "FROM interventions WHERE id = $1 AND action = $2" IS_REMEMBERED,
                               Access::read};

constexpr Statement lock_one{"take_intervention",
                             "SELECT" INTERVENTION_COLUMNS
                             "FROM interventions WHERE id = $1 AND action = $2" IS_REMEMBERED " FOR UPDATE"};

constexpr Statement update{"note_intervention", R"sql(
    UPDATE interventions SET done = $2, next_at = $3,
                             finished_at = CASE WHEN $4::boolean THEN coalesce(finished_at, app_now()) END
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
    found.options = {.late = row.get<bool>(2), .forced = row.get<bool>(3)};
    found.per_minute = row.get<int>(4);
    found.shown_at = row.get<domain::Instant>(5);
    found.shown = row.get<int>(6);
    found.done = row.get<int>(7);
    found.next_at = row.get<std::optional<domain::Instant>>(8);
    found.finished = row.get<bool>(9);
    return found;
}

}  // namespace

void remember(Transaction& transaction, Intervention& intervention, std::string_view actor) {
    const auto& filter = intervention.filter;
    std::optional<std::string_view> status;
    if (filter.status) status = domain::to_string(*filter.status);
    const Rows rows =
        transaction.run(insert, name_of(intervention.action), intervention.reason, actor, status,
                        filter.message_type, filter.from, filter.to, filter.response_code, filter.error,
                        intervention.options.late, intervention.options.forced, intervention.per_minute);
    intervention.id = rows.front().get<domain::Uuid>(0);
    intervention.shown_at = rows.front().get<domain::Instant>(1);
}

std::optional<Intervention> take(Transaction& transaction, const domain::Uuid& id, Action action) {
    return read(transaction.run(lock_one, id, name_of(action)), id, action);
}

void advance(Intervention& intervention, const Rows& step) {
    intervention.finished = true;
    if (step.empty()) return;
    const Row row = step.front();
    intervention.done += row.get<int>(0);
    intervention.finished = row.get<bool>(1);
}

void note_progress(Transaction& transaction, const Intervention& intervention) {
    transaction.run(update, intervention.id, intervention.done, intervention.next_at, intervention.finished);
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
        "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off; "
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off",
        "choose_by_index");
}

}  // namespace postgres
