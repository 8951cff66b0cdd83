#include "libcore/postgres/messages_table.hpp"

#include <catch2/catch.hpp>

#include "tests/libcore/postgres/ledger.hpp"

namespace {

const auto nine = at(2027y / 2 / 27, 9h);

struct Lists : Ledger {
    Lists() : Ledger(nine) {}

    /// Messages of a status, all at once, as dispatch misses them.
    void add(int count, const std::string& status, const std::string& attention_at = "app_now()",
             const std::string& type = "BIRTHDAY") {
        execute(
            "INSERT INTO message_logs (id, user_id, message_type, delivery_date, plan_version, type_version, "
            "timezone, scheduled_send_time, due_at, status, attention_at, created_at, updated_at) "
            "SELECT uuid_v7(), gen_random_uuid(), '" +
            type + "', day, 1, 1, 'UTC', day + time '09:00' AT TIME ZONE 'UTC', " +
            (status == "SCHEDULED" ? "app_now()" : "NULL") + ", '" + status + "', " + attention_at +
            ", app_now(), app_now() FROM (SELECT n, date '2027-02-25' + n % 10 AS day FROM "
            "generate_series(1, " +
            std::to_string(count) + ") n) AS d");
    }

    /// All pages; each message once.
    std::vector<domain::Message> all(postgres::MessagesQuery query, int* pages = nullptr) {
        std::vector<domain::Message> messages;
        std::set<std::string> ids;
        for (;;) {
            const auto page = postgres::list_messages(pool, query);
            if (pages != nullptr) ++*pages;
            CHECK(page.messages.size() <= static_cast<std::size_t>(query.limit));
            for (const auto& message : page.messages) {
                CHECK(ids.insert(domain::to_string(message.id)).second);
                messages.push_back(message);
            }
            if (!page.next) return messages;
            query.after = page.next;
        }
    }
};

using domain::Status;

}  // namespace

TEST_CASE("what needs a person comes newest first, in pages, and by status, type and time") {
    Lists ledger;
    ledger.add(7, "MISSED", "app_now() - interval '3 hours'");
    ledger.add(5, "FAILED", "app_now() - interval '2 hours'");
    ledger.add(4, "MISSED", "app_now() - interval '1 hour'", "ANNIVERSARY");
    ledger.add(20, "SENT", "NULL");
    ledger.add(20, "SCHEDULED", "NULL");
    const int limit = GENERATE(1, 3, 16, 50);
    const auto found = ledger.all({.limit = limit});
    REQUIRE(found.size() == 16);
    CHECK(found.front().message_type == "ANNIVERSARY");
    CHECK(found[4].status == Status::failed);
    CHECK(found.back().status == Status::missed);
    CHECK(ledger.all({.filter = {.status = Status::missed}, .limit = limit}).size() == 11);
    CHECK(ledger.all({.filter = {.status = Status::unknown}, .limit = limit}).empty());
    CHECK(ledger.all({.filter = {.status = Status::missed, .message_type = "ANNIVERSARY"}, .limit = limit})
              .size() == 4);
    // Of the 26th, as each lot begins with it.
    CHECK(ledger
              .all({.filter = {.from = at(2027y / 2 / 26, 9h), .to = at(2027y / 2 / 26, 9h) + 1us},
                    .limit = limit})
              .size() == 3);
}

TEST_CASE("one type's messages in a time come newest first and whatever their status") {
    Lists ledger;
    ledger.add(30, "SENT", "NULL");
    ledger.add(10, "MISSED");
    ledger.add(10, "SENT", "NULL", "ANNIVERSARY");
    const postgres::MessagesQuery query{
        .filter = {.message_type = "BIRTHDAY", .from = at(2027y / 2 / 26, 9h), .to = at(2027y / 2 / 28, 9h)},
        .limit = GENERATE(1, 3, 8, 50)};
    const auto found = ledger.all(query);
    REQUIRE(found.size() == 8);
    CHECK(std::ranges::is_sorted(found, std::ranges::greater(), &domain::Message::scheduled_send_time));
    CHECK(found.front().scheduled_send_time == at(2027y / 2 / 27, 9h));
    auto missed = query;
    missed.filter.status = Status::missed;
    CHECK(ledger.all(missed).size() == 2);
}

TEST_CASE("a list looks at a few thousand messages at a time, by index, and comes to its end") {
    Lists ledger;
    // A session that has planned while the ledger was known to be empty, and does not forbid scans.
    ledger.execute("ANALYZE message_logs");
    auto pool = ledger.database.pool(1);
    const postgres::MessagesQuery unknown{.filter = {.status = Status::unknown}, .limit = 10};
    const postgres::MessagesQuery failed{.filter = {.status = Status::failed,
                                                    .message_type = "BIRTHDAY",
                                                    .from = at(2027y / 2 / 20, 0h),
                                                    .to = at(2027y / 3 / 20, 0h)},
                                         .limit = 10};
    for (int i = 0; i < 10; ++i) {
        CHECK(postgres::list_messages(pool, unknown).messages.empty());
        CHECK(postgres::list_messages(pool, failed).messages.empty());
    }
    ledger.add(20'000, "SENT", "NULL", "ANNIVERSARY");
    ledger.add(12'000, "MISSED", "app_now() - n / 500 * interval '1 s'");
    ledger.execute("SELECT pg_stat_force_next_flush()");  // or what that read would be counted later
    const auto rows_read = [&](const char* how) {
        pool.lease()->execute("SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot()");
        return ledger.value<int>(std::string("SELECT coalesce(sum(") + how +
                                 "), 0) FROM pg_stat_all_tables WHERE relname LIKE 'message_logs%'");
    };
    for (const auto& query : {unknown, failed}) {
        const int scanned = rows_read("seq_tup_read");
        const int fetched = rows_read("idx_tup_fetch");
        const auto page = postgres::list_messages(pool, query);
        CHECK(page.messages.empty());
        CHECK(page.next);
        CHECK(rows_read("seq_tup_read") == scanned);
        // Each month's partition reads ahead to the end of a group of equal instants.
        CHECK(rows_read("idx_tup_fetch") - fetched <= 8'000);
        int pages = 0;
        CHECK(ledger.all(query, &pages).empty());
        CHECK(pages == 3);
    }
}
