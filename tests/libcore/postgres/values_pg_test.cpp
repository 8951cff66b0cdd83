#include <catch2/catch.hpp>
#include <limits>

#include "tests/support/postgres_fixture.hpp"

using namespace std::chrono_literals;
using postgres::Statement;

namespace {

/// Sends the value as $1, checks what the server understood by it, and reads the same value back.
template <class T>
void check_round_trip(postgres::Connection& connection, const Statement& statement, const T& value,
                      const std::string& understood) {
    const postgres::Rows rows = connection.run(statement, value);
    CHECK(rows.front().get<T>(0) == value);
    CHECK(rows.front().get<std::string>(1) == understood);
}

constexpr Statement echo_text{"echo_text", "SELECT $1::text, quote_literal($1::text)"};
constexpr Statement echo_bool{"echo_bool", "SELECT $1::bool, CASE WHEN $1 THEN 'yes' ELSE 'no' END"};
constexpr Statement echo_int{"echo_int", "SELECT $1::int, ($1::int)::text"};
constexpr Statement echo_bigint{"echo_bigint", "SELECT $1::bigint, ($1::bigint)::text"};
constexpr Statement echo_double{"echo_double", "SELECT $1::float8, ($1::float8)::text"};
constexpr Statement echo_uuid{"echo_uuid", "SELECT $1::uuid, ($1::uuid)::text"};
constexpr Statement echo_date{"echo_date", "SELECT $1::date, to_char($1::date, 'FMDay DD FMMonth YYYY')"};
constexpr Statement echo_instant{
    "echo_instant", "SELECT $1::timestamptz, (extract(epoch FROM $1::timestamptz) * 1000000)::bigint::text"};
constexpr Statement echo_interval{
    "echo_interval", "SELECT $1::interval, (extract(epoch FROM $1::interval) * 1000000)::bigint::text"};
constexpr Statement elements{"elements",
                             "SELECT element FROM unnest($1::text[]) WITH ORDINALITY AS e(element, n) "
                             "ORDER BY n"};
constexpr Statement array_text{"array_text", "SELECT array_to_string($1::int[], ',', 'none')"};
constexpr Statement nothing{"nothing", "SELECT $1::int IS NULL, $1::int"};

domain::Instant instant_at(std::chrono::microseconds since_epoch) {
    return domain::Instant(since_epoch);
}

}  // namespace

TEST_CASE("every type of value reaches the server and comes back unchanged") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();

    check_round_trip<std::string>(connection, echo_text, "", "''");
    check_round_trip<std::string>(connection, echo_text, "O'Neil said \"hey\"", "'O''Neil said \"hey\"'");
    check_round_trip<std::string>(connection, echo_text, "\xe6\x9d\x8e \xf0\x9f\x8e\x82", "'李 🎂'");
    check_round_trip(connection, echo_bool, true, "yes");
    check_round_trip(connection, echo_bool, false, "no");
    check_round_trip(connection, echo_int, std::numeric_limits<int>::min(), "-2147483648");
    check_round_trip(connection, echo_bigint, std::numeric_limits<std::int64_t>::max(),
                     "9223372036854775807");
    check_round_trip(connection, echo_double, 0.1, "0.1");
    check_round_trip(connection, echo_double, -1.7976931348623157e308, "-1.7976931348623157e+308");
    check_round_trip(connection, echo_double, std::numeric_limits<double>::infinity(), "Infinity");
    check_round_trip(connection, echo_uuid, *domain::parse_uuid("0190163d-8694-739b-aea5-966c26f8ad91"),
                     "0190163d-8694-739b-aea5-966c26f8ad91");
    check_round_trip(connection, echo_date, *domain::parse_date("2028-02-29"), "Tuesday 29 February 2028");
    check_round_trip(connection, echo_date, *domain::parse_date("0001-01-01"), "Monday 01 January 0001");
}

TEST_CASE("instants and intervals are exact to the microsecond whatever the time zone of the server") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    database.connection().execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kathmandu''', "
        "current_database()); END $$");
    postgres::Connection connection = database.connection();

    for (const auto since_epoch :
         {0us, 1us, 100'000us, -1us, 1'803'805'200'000'000us, 1'803'805'200'123'456us})
        check_round_trip(connection, echo_instant, instant_at(since_epoch),
                         std::to_string(since_epoch.count()));
    for (const auto interval :
         {0us, 1us, -1us, 12'500'000us, -90'061'000'001us, 86'400'000'000us, 9'000'000'000'000us})
        check_round_trip(connection, echo_interval, interval, std::to_string(interval.count()));

    constexpr Statement days{"days",
                             "SELECT make_interval(days => -1, secs => 2.5), make_interval(days => 2)"};
    const postgres::Rows rows = connection.run(days);
    CHECK(rows.front().get<std::chrono::microseconds>(0) == -24h + 2500ms);
    CHECK(rows.front().get<std::chrono::microseconds>(1) == 48h);
}

TEST_CASE("texts in an array keep every character") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    const std::vector<std::optional<std::string>> texts{"",
                                                        "NULL",
                                                        "null",
                                                        std::nullopt,
                                                        "a,b",
                                                        "{curly}",
                                                        "\"quoted\"",
                                                        "back\\slash",
                                                        "\\",
                                                        "\"",
                                                        "line\nbreak",
                                                        " edge ",
                                                        "\t",
                                                        "it's",
                                                        "\\\"both\\\"",
                                                        "ünï¢ödé 🎂",
                                                        "'; DROP TABLE users"};

    const postgres::Rows rows = connection.run(elements, texts);

    REQUIRE(rows.size() == static_cast<int>(texts.size()));
    for (std::size_t i = 0; i < texts.size(); ++i)
        CHECK(rows[static_cast<int>(i)].get<std::optional<std::string>>(0) == texts[i]);
}

TEST_CASE("arrays of other types are what unnest gives back") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    const auto read = [&](const Statement& statement, const auto& values) {
        using Element = typename std::decay_t<decltype(values)>::value_type;
        std::vector<Element> elements_read;
        for (const postgres::Row row : connection.run(statement, values))
            elements_read.push_back(row.get<Element>(0));
        return elements_read;
    };
    constexpr Statement uuids{"uuids", "SELECT unnest($1::uuid[])"};
    constexpr Statement dates{"dates", "SELECT unnest($1::date[])"};
    constexpr Statement instants{"instants", "SELECT unnest($1::timestamptz[])"};
    constexpr Statement intervals{"intervals", "SELECT unnest($1::interval[])"};
    constexpr Statement doubles{"doubles", "SELECT unnest($1::float8[])"};
    constexpr Statement bools{"bools", "SELECT unnest($1::bool[])"};

    const std::vector ids{domain::Uuid{}, *domain::parse_uuid("0190163d-8694-739b-aea5-966c26f8ad91")};
    CHECK(read(uuids, ids) == ids);
    const std::vector<std::optional<domain::Date>> days{domain::parse_date("2027-12-31"), std::nullopt};
    CHECK(read(dates, days) == days);
    const std::vector moments{instant_at(0us), instant_at(1'803'805'200'123'456us)};
    CHECK(read(instants, moments) == moments);
    const std::vector pauses{0us, 12'500'000us, -1us};
    CHECK(read(intervals, pauses) == pauses);
    const std::vector numbers{0.1, -2e100};
    CHECK(read(doubles, numbers) == numbers);
    const std::vector<bool> flags{true, false};
    CHECK(read(bools, flags) == flags);

    CHECK(connection.run(array_text, std::vector<std::optional<int>>{1, std::nullopt, -3})
              .front()
              .get<std::string>(0) == "1,none,-3");
    CHECK(connection.run(array_text, std::vector<int>{}).front().get<std::string>(0).empty());
}

TEST_CASE("an empty optional is NULL and NULL is an empty optional") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();

    const postgres::Rows absent = connection.run(nothing, std::optional<int>{});
    CHECK(absent.front().get<bool>(0));
    CHECK(absent.front().get<std::optional<int>>(1) == std::nullopt);
    CHECK_THROWS_AS(absent.front().get<int>(1), std::logic_error);

    const postgres::Rows present = connection.run(nothing, std::optional<int>{7});
    CHECK_FALSE(present.front().get<bool>(0));
    CHECK(present.front().get<std::optional<int>>(1) == 7);
}

TEST_CASE("reading a column as another type is a bug that shows at once") {
    const support::TestDatabase database(support::TestDatabase::Content::nothing);
    postgres::Connection connection = database.connection();
    constexpr Statement mixed{
        "mixed", "SELECT 'infinity'::timestamptz, '1 month'::interval, 3000000000, 'x', now()::timestamp"};

    const postgres::Rows rows = connection.run(mixed);

    const postgres::Row row = rows.front();
    CHECK_THROWS_AS(row.get<domain::Instant>(0), std::logic_error);
    CHECK_THROWS_AS(row.get<std::chrono::microseconds>(1), std::logic_error);
    CHECK_THROWS_AS(row.get<int>(2), std::logic_error);
    CHECK_THROWS_AS(row.get<bool>(3), std::logic_error);
    CHECK_THROWS_AS(row.get<domain::Uuid>(3), std::logic_error);
    CHECK_THROWS_AS(row.get<domain::Instant>(4), std::logic_error);
    CHECK_THROWS_AS(row.get<std::string>(5), std::logic_error);
    CHECK_THROWS_AS(rows[1], std::logic_error);
}

TEST_CASE("text with a NUL is refused before it is cut short") {
    using namespace std::string_literals;
    CHECK_THROWS_AS(postgres::Parameters("before\0after"s), std::invalid_argument);
    CHECK_THROWS_AS(postgres::Parameters(std::vector{"before\0after"s}), std::invalid_argument);
}
