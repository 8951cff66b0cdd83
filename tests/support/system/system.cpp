#include "tests/support/system/system.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "tests/support/http_client.hpp"

namespace support {

namespace {

constexpr postgres::Statement turn_clock{"turn_clock", "SELECT set_clock($1::timestamptz, $2::float8)"};
constexpr postgres::Statement read_clock{"read_clock", "SELECT base, started_at, factor FROM app_clock"};

constexpr postgres::Statement add_people{"add_people", R"sql(
    INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date)
    SELECT uuid_v7(), 'Ada', 'Number ' || n, 'ada' || n || '@example.com', $3, $4::date
    FROM generate_series($1::integer + 1, $1::integer + $2::integer) n)sql"};

constexpr postgres::Statement read_ledger{"read_ledger", R"sql(
    SELECT m.id, m.delivery_date, m.attempt, coalesce(m.trace, ''), m.idempotency_key, u.email,
           to_char(m.scheduled_send_time AT TIME ZONE m.timezone, 'YYYY-MM-DD HH24:MI'), m.scheduled_send_time,
           m.status, m.failures, m.rescues, m.in_doubt, coalesce(m.api_response_code, 0),
           coalesce(m.api_response_body, ''), coalesce(m.error_message, '')
    FROM message_logs m JOIN users u ON u.id = m.user_id)sql"};

constexpr postgres::Statement count_status{"count_status",
                                           "SELECT count(*) FROM message_logs WHERE status = $1"};

// Tens of thousands take longer than a statement may.
constexpr int most_at_once = 5'000;

/// For a machine that is busy with other tests and with compiling.
postgres::ConnectionSettings patient(postgres::ConnectionSettings settings) {
    settings.statement_timeout = std::chrono::seconds(60);
    settings.query_timeout = std::chrono::seconds(61);
    return settings;
}

LedgerRow decode(const postgres::Row& row) {
    return {.hint = {.message_id = row.get<domain::Uuid>(0),
                     .delivery_date = row.get<domain::Date>(1),
                     .attempt = row.get<int>(2),
                     .trace = row.get<std::string>(3)},
            .key = row.get<std::string>(4),
            .email = row.get<std::string>(5),
            .local_time = row.get<std::string>(6),
            .instant = row.get<domain::Instant>(7),
            .status = domain::parse_status(row.get<std::string_view>(8)).value(),
            .attempt = row.get<int>(2),
            .failures = row.get<int>(9),
            .rescues = row.get<int>(10),
            .in_doubt = row.get<bool>(11),
            .response_code = row.get<int>(12),
            .response_body = row.get<std::string>(13),
            .error = row.get<std::string>(14)};
}

}  // namespace

System::System(Provider kind, const Servers& servers)
    : database(servers.database.empty() ? TestDatabase() : TestDatabase(servers.database)),
      broker(servers.broker.empty() ? AmqpFixture() : AmqpFixture(servers.broker)),
      provider({.policy = {.idempotent = kind == Provider::idempotent}}),
      sql(patient(database.settings())) {
    set_clock("2027-03-10T08:00:00Z", 0);
}

Service System::start(const std::string& program, const Environment& more) const {
    return Service(program, environment(more));
}

Environment System::environment(const Environment& more) const {
    Environment all = more;
    all.merge(Environment{{"APP_ENV", "development"},
                          {"DATABASE_URL", database.url()},
                          {"AMQP_URL", broker.url()},
                          {"QUEUE_PREFIX", broker.prefix()},
                          {"PROVIDER_URL", provider.url()},
                          {"BIND", "127.0.0.1"},
                          {"QUEUE_CONCURRENCY", "20"},
                          {"PROVIDER_TIMEOUT", "1s"},
                          {"DELIVERY_LEASE", "2s"},
                          {"QUEUE_LOST_AFTER", "3s"}});
    return all;
}

std::string System::amqp_url_through(int port) const {
    const auto& url = broker.url();
    const auto host = url.rfind('@') + 1;
    return url.substr(0, host) + "127.0.0.1:" + std::to_string(port) + url.substr(url.find('/', host));
}

void System::set_clock(const std::string& base, double factor) {
    sql.run(turn_clock, base, factor);
    const auto rows = sql.run(read_clock);
    clocks_.push_back({rows.front().get<domain::Instant>(0), rows.front().get<domain::Instant>(1),
                       rows.front().get<double>(2)});
}

Clock System::clock() const {
    return [clocks = clocks_](domain::Instant real) {
        const auto later =
            std::ranges::find_if(clocks, [&](const auto& row) { return row.started_at > real; });
        const ClockRow& row = *std::prev(later);
        return row.base +
               std::chrono::duration_cast<std::chrono::microseconds>((real - row.started_at) * row.factor);
    };
}

void System::add(const People& people) {
    for (int left = people.count; left > 0; left -= most_at_once) {
        const int count = std::min(left, most_at_once);
        sql.run(add_people, people_, count, people.zone, people.birthday);
        people_ += count;
    }
}

std::vector<LedgerRow> System::ledger() {
    std::vector<LedgerRow> rows;
    for (const auto row : sql.run(read_ledger)) rows.push_back(decode(row));
    return rows;
}

LedgerRow System::only_row() {
    auto rows = ledger();
    if (rows.size() != 1) throw std::runtime_error(std::to_string(rows.size()) + " messages instead of one");
    return rows.front();
}

int System::count(domain::Status status) {
    return sql.run(count_status, to_string(status)).front().get<int>(0);
}

// The provider knows first, and asking it costs the system under test nothing.
bool System::sent(int messages, std::chrono::seconds within) {
    return delivered(messages, within) &&
           eventually([&] { return count(domain::Status::sent) == messages; }, within);
}

bool System::delivered(int messages, std::chrono::seconds within) const {
    return eventually([&] { return std::cmp_greater_equal(provider.summary().delivered, messages); }, within);
}

Comparison System::compare() {
    return support::compare(ledger(), requests(), clock());
}

double metric(const Service& service, const std::string& name) {
    std::istringstream lines(http_get(service.ops_port(), "/metrics").body);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
    }
    return 0;
}

}  // namespace support
