#include "libcore/postgres/message_types_table.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

#include "libcore/domain/template.hpp"
#include "libcore/postgres/test_sends_table.hpp"
#include "tests/libcore/postgres/ledger.hpp"
#include "tests/support/eventually.hpp"

namespace {

using domain::MessageTypeFields;

const auto nine = at(2027y / 2 / 27, 9h);

struct Types : Ledger {
    Types() : Ledger(nine) {}

    /// Whether somebody waits for a lock that another session holds.
    bool somebody_waits() {
        return value<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock')");
    }

    domain::Result<domain::MessageType> insert(const std::string& name,
                                               const MessageTypeFields& fields = {.text = "Party!"}) {
        return postgres::insert_message_type(pool, "ops", name, [&](domain::Instant) { return fields; });
    }

    template <class Change>
    domain::MessageType change(const std::string& name, Change edit) {
        const auto changed = postgres::change_message_type(
            pool, "ops", name,
            [&](MessageTypeFields fields, domain::Instant) -> domain::Result<MessageTypeFields> {
                edit(fields);
                return fields;
            });
        return changed.value().value();
    }

    std::vector<std::string> names(const std::string& after = "") {
        std::vector<std::string> found;
        for (const auto& type : postgres::message_types_after(pool, after)) found.push_back(type.name);
        return found;
    }

    /// What the log says of the types, oldest first.
    std::vector<std::string> audit(const std::string& columns = "actor || ' ' || action || ' ' || subject") {
        std::vector<std::string> lines;
        const auto found =
            rows("SELECT " + columns + " FROM audit_log WHERE subject LIKE 'message_type %' ORDER BY id");
        for (const auto row : found) lines.push_back(row.get<std::string>(0));
        return lines;
    }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a message type is added with everything it was given and with an entry in the log") {
    Types types;
    const MessageTypeFields fields{.text = "Party, {first_name}!",
                                   .late_text = "Late party!",
                                   .send_at = {8h + 30min + 15s},
                                   .gap_rule = "skip",
                                   .fold_rule = "second",
                                   .leap_day = "mar1",
                                   .catch_up = 90min,
                                   .max_lateness = std::chrono::days(3),
                                   .spread = 1500ms,
                                   .paused_until = nine + 1h};
    const auto added = types.insert("PARTY", fields);
    REQUIRE(added);
    CHECK(added->name == "PARTY");
    CHECK(added->fields == fields);
    CHECK(added->replanned);
    CHECK(added->created_at == nine);
    const auto found = postgres::find_message_type(types.pool, "PARTY");
    CHECK(found.value().fields == fields);
    CHECK(types.audit() == Names{"ops message type added message_type PARTY"});
    CHECK(types.audit("detail ->> 'template'") == Names{"Party, {first_name}!"});
    CHECK(types.insert("PLAIN")->fields == MessageTypeFields{.text = "Party!"});
    CHECK(types.names() == Names{"ANNIVERSARY", "BIRTHDAY", "PARTY", "PLAIN"});
    CHECK(types.names("BIRTHDAY") == Names{"PARTY", "PLAIN"});
    CHECK_FALSE(postgres::find_message_type(types.pool, "NO_SUCH"));
}

TEST_CASE("a type's defaults in the program are those of the ledger") {
    Types types;
    types.execute("INSERT INTO message_types (name, template) VALUES ('PLAIN', 'Party!')");
    CHECK(postgres::find_message_type(types.pool, "PLAIN").value().fields ==
          MessageTypeFields{.text = "Party!"});
}

TEST_CASE("the program and the ledger agree on what is a template, and none becomes longer than it may") {
    Types types;
    const auto repeat = [](std::string_view text, int times) {
        std::string all;
        for (int i = 0; i < times; ++i) all += text;
        return all;
    };
    for (const auto& text :
         {std::string("Hi {first_name} {last_name} {full_name} {years} {date} %s 100 %"),
          std::string("{nick}"), std::string("{first_{years}name}"), std::string("{{date}}"),
          std::string("}"), std::string("a\nb"), std::string("{years"), std::string("{}"),
          std::string("{Date}"), repeat("é", 2000), repeat("é", 2001)}) {
        CAPTURE(text);
        CHECK(types.value<bool>("SELECT is_template($1)", text) == !domain::template_fault("template", text));
    }
    const auto rendered = [&](const std::string& text) {
        return types.value<int>(
            "SELECT char_length(render($1, repeat('é', 100), repeat('n', 100), '9999-01-01', '1900-01-01'))",
            text);
    };
    const auto longest = "{years}{date}" + repeat("{full_name}", 49) + repeat("%", 131);
    CHECK_FALSE(domain::template_fault("template", longest));
    CHECK(rendered(longest) == 10'000);
    for (const auto& text :
         {longest, std::string("a {first_name} {{ü} {last_name}{date"), repeat("{years}", 7)}) {
        CHECK(domain::longest_rendering(text) == static_cast<std::size_t>(rendered(text)));
    }
}

TEST_CASE("a name is taken until its type is removed and there are at most a hundred types", "[threads]") {
    Types types;
    REQUIRE(types.insert("PARTY"));
    CHECK(types.insert("PARTY").errors().front().code == "duplicate");
    CHECK(types.insert("BIRTHDAY").errors().front().code == "duplicate");
    REQUIRE(postgres::delete_message_type(types.pool, "ops", "PARTY"));
    CHECK(types.insert("PARTY").errors().front().code == "being_removed");
    types.execute(
        "INSERT INTO message_types (name, template) SELECT 'T' || n, 't' FROM generate_series(1, 96) n");

    // Another comes for the last place while somebody is about to take it.
    std::atomic<bool> looked = false;
    std::future<bool> other;
    const auto one = postgres::insert_message_type(types.pool, "ops", "ONE", [&](domain::Instant) {
        other = std::async(std::launch::async, [&] {
            return bool(postgres::insert_message_type(types.pool, "ops", "OTHER", [&](domain::Instant) {
                looked = true;
                return MessageTypeFields{.text = "Party!"};
            }));
        });
        CHECK(support::eventually([&] { return looked || types.somebody_waits(); }));
        return MessageTypeFields{.text = "Party!"};
    });
    CHECK(one);
    CHECK_FALSE(other.get());
    CHECK(types.insert("LAST").errors().front().code == "too_many");
    CHECK(types.value<int>("SELECT count(*) FROM message_types") == 100);
}

TEST_CASE("a change of a type's texts is no change of its rules, and the log tells old from new") {
    Types types;
    const auto version = types.value<int>("SELECT version FROM message_types WHERE name = 'BIRTHDAY'");
    types.set_clock(nine + 1h);
    const auto changed = types.change("BIRTHDAY", [](auto& fields) {
        fields.text = "Hurrah";
        fields.max_lateness = 36h;
        fields.paused_until = nine + 2h;
    });
    CHECK(changed.fields.text == "Hurrah");
    CHECK(changed.replanned);
    CHECK(changed.updated_at == nine + 1h);
    CHECK(types.value<int>("SELECT version FROM message_types WHERE name = 'BIRTHDAY'") == version);
    CHECK(types.audit() == Names{"ops message type changed message_type BIRTHDAY"});
    CHECK(types.audit(
              "(SELECT string_agg(key || ': ' || (value ->> 'old') || ' -> ' || (value ->> 'new'), ', ' "
              "ORDER BY key) FROM jsonb_each(detail) WHERE key <> 'paused_until')") ==
          Names{"max_lateness: 48:00:00 -> 36:00:00, "
                "template: Hey, {full_name} it's your birthday -> Hurrah"});
    CHECK(types.audit(
              "detail #>> '{paused_until,old}' IS NULL AND detail #>> '{paused_until,new}' IS NOT NULL") ==
          Names{"t"});

    const auto same = types.change("BIRTHDAY", [](auto&) {});
    CHECK(same.updated_at == changed.updated_at);
    CHECK(types.audit().size() == 1);
}

TEST_CASE("a change of a type's rules or an earlier end of its pause outdates what is planned") {
    Types types;
    const auto outdates = [&](auto edit) {
        const auto before = types.value<int>("SELECT version FROM message_types WHERE name = 'BIRTHDAY'");
        const auto changed = types.change("BIRTHDAY", edit);
        CHECK(changed.fields == postgres::find_message_type(types.pool, "BIRTHDAY")->fields);
        const bool outdated =
            types.value<int>("SELECT version FROM message_types WHERE name = 'BIRTHDAY'") > before;
        CHECK(changed.replanned != outdated);
        types.execute("UPDATE message_types SET replanned_version = version");
        return outdated;
    };
    CHECK(outdates([](auto& fields) { fields.send_at = {10h}; }));
    CHECK(outdates([](auto& fields) { fields.gap_rule = "before_gap"; }));
    CHECK(outdates([](auto& fields) { fields.fold_rule = "second"; }));
    CHECK(outdates([](auto& fields) { fields.leap_day = "skip"; }));
    CHECK(outdates([](auto& fields) { fields.spread = 15min; }));
    CHECK_FALSE(outdates([](auto& fields) { fields.late_text = "late"; }));
    CHECK_FALSE(outdates([](auto& fields) { fields.paused_until = nine + 2h; }));
    CHECK_FALSE(outdates([](auto& fields) { fields.paused_until = nine + 3h; }));
    CHECK(outdates([](auto& fields) { fields.paused_until = nine + 1h; }));
    CHECK(outdates([](auto& fields) { fields.paused_until.reset(); }));
}

TEST_CASE("two changes of one type at the same moment both count", "[threads]") {
    Types types;
    for (int n = 1; n <= 20; ++n) {
        const auto text = "text " + std::to_string(n);
        auto one = std::async(std::launch::async,
                              [&] { types.change("BIRTHDAY", [&](auto& fields) { fields.text = text; }); });
        types.change("BIRTHDAY", [&](auto& fields) { fields.max_lateness = std::chrono::hours(n); });
        one.get();
        const auto fields = postgres::find_message_type(types.pool, "BIRTHDAY")->fields;
        CHECK(fields.text == text);
        CHECK(fields.max_lateness == std::chrono::hours(n));
    }
}

TEST_CASE("a longer catch-up has its partitions when it is there") {
    Types types;
    const auto oldest = [&] {
        return types.value<std::string>(
            "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = "
            "'message_logs'::regclass");
    };
    const std::string february = "message_logs_2027_02";
    types.execute(R"sql(
        DO $$
        DECLARE old text;
        BEGIN
            FOR old IN SELECT inhrelid::regclass::text FROM pg_inherits
                       WHERE inhparent = 'message_logs'::regclass AND inhrelid::regclass::text < 'message_logs_2027_02'
            LOOP EXECUTE 'DROP TABLE ' || old; END LOOP;
        END $$)sql");
    REQUIRE(oldest() == february);
    types.change("BIRTHDAY", [](auto& fields) { fields.catch_up = std::chrono::days(60); });
    CHECK(oldest() == "message_logs_2026_12");
}

TEST_CASE("a deleted type is gone for everybody who asks and its deletion is in the log") {
    Types types;
    REQUIRE(types.insert("PARTY"));
    CHECK(postgres::delete_message_type(types.pool, "ops", "PARTY"));
    CHECK_FALSE(postgres::delete_message_type(types.pool, "ops", "PARTY"));
    CHECK_FALSE(postgres::delete_message_type(types.pool, "ops", "NO_SUCH"));
    CHECK_FALSE(postgres::find_message_type(types.pool, "PARTY"));
    CHECK(types.names() == Names{"ANNIVERSARY", "BIRTHDAY"});
    CHECK_FALSE(postgres::change_message_type(types.pool, "ops", "PARTY",
                                              [](const auto& fields, domain::Instant) { return fields; }));
    domain::Sample sample;
    sample.first_name = sample.last_name = "Ada";
    sample.email = "ada@example.org";
    CHECK_FALSE(postgres::insert_test_send(types.pool, {}, "ops", "PARTY", sample));
    CHECK(types.audit().back() == "ops message type deleted message_type PARTY");
    CHECK(types.audit().size() == 2);
}

TEST_CASE("whoever decides about a type is told the ledger's time") {
    Types types;
    domain::Instant told{};
    CHECK_FALSE(postgres::insert_message_type(types.pool, "ops", "PARTY", [&](domain::Instant now) {
        told = now;
        return domain::Error{"no", "template", "no"};
    }));
    CHECK(told == nine);
    types.set_clock(nine + 1h);
    CHECK_FALSE(
        *postgres::change_message_type(types.pool, "ops", "BIRTHDAY", [&](const auto&, domain::Instant now) {
            told = now;
            return domain::Error{"no", "template", "no"};
        }));
    CHECK(told == nine + 1h);
    CHECK(types.audit().empty());
}
