#include <algorithm>
#include <semaphore>

#include "libcore/domain/message_type.hpp"
#include "libcore/json/schedule.hpp"
#include "libcore/postgres/schedule_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

namespace {

using domain::Date;
using domain::Instant;

// The longest of these items have 450 and 140 bytes: replies stay below the 128 KiB that one should have.
constexpr int max_messages = 200;
constexpr int max_minutes = 500;
constexpr int default_messages = 100;
constexpr int most_years = 10;
constexpr std::chrono::days farthest{366};
// A client's clock is not ours, and what it asks for takes a moment to come in.
constexpr std::chrono::minutes just_now{1};
// How long a reader may take from page to page.
constexpr std::chrono::hours oldest_cursor{1};
// A preview holds a connection for seconds; the others are for everybody else.
constexpr int previews_at_once = 2;

/// The text up to the next underscore, which goes with it.
std::string_view take_part(std::string_view& text) {
    const auto part = text.substr(0, text.find('_'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    return part;
}

/// "2027-02-28T09:00:00Z_2027-02-28_BIRTHDAY": opaque to clients.
std::string cursor_of(const domain::ComingMessage& message) {
    return domain::to_string(message.scheduled_send_time) + "_" + domain::to_string(message.delivery_date) +
           "_" + message.message_type;
}

std::optional<postgres::SchedulePosition> parse_position(std::string_view text) {
    const auto instant = domain::parse_instant(take_part(text));
    const auto date = domain::parse_date(take_part(text));
    if (!instant || !date || !domain::is_type_name(text)) return std::nullopt;
    return postgres::SchedulePosition{*instant, std::string(text), *date};
}

/// Where a preview goes on, and of what time it is.
struct PreviewCursor {
    Instant from, to;
    std::string message_type;  ///< empty: all
    postgres::DuePosition after;
};

/// "FROM_TO_MINUTE_p05:45_1_BIRTHDAY": no plus, which a query turns into a space; 1 or 0 for whether only
/// this type was asked for.
std::string cursor_of(const postgres::PreviewQuery& query, const domain::DueMinute& last) {
    auto offset = last.utc_offset;
    offset.front() = offset.front() == '-' ? 'm' : 'p';
    return domain::to_string(query.from) + "_" + domain::to_string(query.to) + "_" +
           domain::to_string(last.minute) + "_" + offset + "_" + (query.message_type ? "1_" : "0_") +
           last.message_type;
}

std::optional<PreviewCursor> parse_preview_cursor(std::string_view text) {
    const auto from = domain::parse_instant(take_part(text));
    const auto to = domain::parse_instant(take_part(text));
    const auto minute = domain::parse_instant(take_part(text));
    std::string offset(take_part(text));
    const auto of_one_type = parse_number<0, 1>(take_part(text));
    if (!from || !to || !minute || offset.size() != 6 || !of_one_type || !domain::is_type_name(text))
        return std::nullopt;
    offset.front() = offset.front() == 'm' ? '-' : '+';
    return PreviewCursor{
        *from, *to, *of_one_type == 1 ? std::string(text) : "", {*minute, offset, std::string(text)}};
}

/// A date is its first moment in UTC.
std::optional<Instant> parse_moment(std::string_view text) {
    if (const auto date = domain::parse_date(text)) return std::chrono::sys_days(*date);
    return domain::parse_instant(text);
}

/// Today's date and the last minute mean now.
Instant beginning(std::string_view text, Instant now) {
    const auto given = *parse_moment(text);
    const bool is_today = domain::parse_date(text) && given == std::chrono::floor<std::chrono::days>(now);
    return given < now && (is_today || given >= now - just_now) ? now : given;
}

domain::Result<postgres::PreviewQuery> first_page(const Call& call, Instant now) {
    postgres::PreviewQuery query{.from = now, .to = now};
    if (const auto from = call.query.value("from")) query.from = beginning(*from, now);
    query.to = query.from + std::chrono::hours(24);
    if (const auto to = call.query.value("to")) query.to = *parse_moment(*to);
    domain::Errors errors;
    if (query.from < now) errors.push_back({"in_the_past", "from", "must not be in the past"});
    if (query.from > now + farthest)
        errors.push_back({"too_far", "from", "must not be more than 366 days ahead"});
    if (query.to > now + farthest && call.query.value("to"))
        errors.push_back({"too_far", "to", "must not be more than 366 days ahead"});
    if (query.to <= query.from) errors.push_back({"too_early", "to", "must be after from"});
    if (!errors.empty()) return errors;
    return query;
}

domain::Result<postgres::PreviewQuery> next_page(const PreviewCursor& cursor, std::string_view message_type,
                                                 Instant now) {
    if (cursor.message_type != message_type)
        return domain::Error{"invalid", "cursor", "belongs to a question with another messageType"};
    if (cursor.from < now - oldest_cursor || cursor.to > now + farthest + std::chrono::hours(24) ||
        cursor.to <= cursor.from)
        return domain::Error{"expired", "cursor", "has expired; begin with the first page"};
    return postgres::PreviewQuery{.from = cursor.from, .to = cursor.to, .after = cursor.after};
}

domain::Result<postgres::PreviewQuery> preview_query(const Call& call) {
    const auto now = postgres::planning_time(call.pool);
    const auto cursor = call.query.value("cursor");
    const auto type = call.query.value("messageType");
    auto query =
        cursor ? next_page(*parse_preview_cursor(*cursor), type.value_or(""), now) : first_page(call, now);
    if (!query) return query;
    if (type) query->message_type = std::string(*type);
    query->limit = max_minutes;
    if (const auto limit = call.query.value("limit")) query->limit = *parse_number<1, max_minutes>(*limit);
    return query;
}

template <class Items>
void write_items(json::Writer& writer, const char* name, const Items& items, std::size_t most) {
    writer.key(name).begin_array();
    for (std::size_t i = 0; i < std::min(most, items.size()); ++i) json::write(writer, items[i]);
    writer.end_array();
}

runtime::Reply reply_of(const postgres::PreviewQuery& query, const postgres::Preview& preview,
                        std::size_t page) {
    json::Writer writer;
    writer.begin_object().member("from", query.from).member("to", query.to).key("totals");
    json::write_totals(writer, preview.totals);
    write_items(writer, "items", preview.minutes, page);
    write_items(writer, "holds", preview.holds, preview.holds.size());
    std::optional<std::string> next;
    if (preview.minutes.size() > page) next = cursor_of(query, preview.minutes[page - 1]);
    writer.member("nextCursor", next).end_object();
    return {.body = writer.take(), .headers = {}};
}

}  // namespace

const std::array<Parameter, 3> user_schedule_parameters = {{
    {"years", fits<parse_number<1, most_years>>, "must be a number from 1 to 10"},
    {"limit", fits<parse_number<1, max_messages>>, "must be a number from 1 to 200"},
    {"cursor", fits<parse_position>, "must be the nextCursor of an earlier answer"},
}};

const std::array<Parameter, 5> preview_parameters = {{
    {"from", fits<parse_moment>,
     "must be a date or an instant such as 2027-03-01T09:00:00Z (a + is written %2B)"},
    {"to", fits<parse_moment>,
     "must be a date or an instant such as 2027-03-01T09:00:00Z (a + is written %2B)"},
    {"messageType", domain::is_type_name, "must be the name of a message type"},
    {"limit", fits<parse_number<1, max_minutes>>, "must be a number from 1 to 500"},
    {"cursor", fits<parse_preview_cursor>, "must be the nextCursor of an earlier answer"},
}};

Answer get_user_schedule(const Call& call) {
    postgres::UserScheduleQuery query{.user_id = call.id, .limit = default_messages};
    if (const auto years = call.query.value("years")) query.years = *parse_number<1, most_years>(*years);
    if (const auto limit = call.query.value("limit")) query.limit = *parse_number<1, max_messages>(*limit);
    if (const auto cursor = call.query.value("cursor")) query.after = parse_position(*cursor);
    const auto page = static_cast<std::size_t>(query.limit);
    query.limit += 1;  // one more than the page tells whether there is a next one
    const auto schedule = postgres::schedule_of_user(call.pool, query);
    if (!schedule) return no_such_user();

    json::Writer writer;
    writer.begin_object()
        .member("userId", call.id)
        .member("timezone", schedule->timezone)
        .member("from", schedule->from)
        .member("to", schedule->to);
    write_items(writer, "items", schedule->messages, page);
    write_items(writer, "holds", schedule->holds, schedule->holds.size());
    std::optional<std::string> next;
    if (schedule->messages.size() > page) next = cursor_of(schedule->messages[page - 1]);
    writer.member("nextCursor", next).end_object();
    return runtime::Reply{.body = writer.take(), .headers = {}};
}

Answer preview_schedule(const Call& call) {
    static std::counting_semaphore<previews_at_once> free_places(previews_at_once);
    auto query = preview_query(call);
    if (!query) return problem_of(query.errors());
    // Nobody waits here: the threads are few, and one of them must be free to stop everything.
    if (!free_places.try_acquire())
        return json::Problem{503, "busy", "Other previews are being counted. Please try again."};
    const struct Place {
        ~Place() { free_places.release(); }
    } place;

    const auto page = static_cast<std::size_t>(query->limit);
    query->limit += 1;
    const auto preview = postgres::preview(call.pool, *query);
    if (preview) return reply_of(*query, *preview, page);
    if (preview.errors().front().code == "too_slow")
        return json::Problem{503, "too_slow", "Counting took too long. Please ask for a shorter time."};
    return problem_of(preview.errors());
}

}  // namespace api
