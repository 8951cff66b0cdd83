#include "tests/support/demo/live_system.hpp"

#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "libcore/json/parser.hpp"
#include "libcore/json/writer.hpp"

namespace demo {

namespace {

// As many as keep the API's threads busy without queueing in front of them.
constexpr std::size_t connections = 8;

constexpr std::size_t page_size = 1000;
constexpr json::Limits page_limits{.bytes = 16 * 1024 * 1024, .depth = 4, .values = 16 * page_size};

constexpr postgres::Statement zone_names{"zone_names", R"(
    SELECT name FROM pg_timezone_names
    WHERE name NOT LIKE 'posix/%' AND name NOT IN ('localtime', 'Factory', 'posixrules')
    ORDER BY name)"};

constexpr postgres::Statement turn_clock{"turn_clock", "SELECT set_clock($1::timestamptz, $2::float8)"};
constexpr postgres::Statement read_clock{"read_clock", "SELECT base, started_at, factor FROM app_clock"};

constexpr postgres::Statement count_messages{"count_messages", R"(
    SELECT count(*), count(*) FILTER (WHERE status IN ('QUEUED', 'SENDING')),
           count(*) FILTER (WHERE status = 'SENT')
    FROM message_logs
    WHERE delivery_date BETWEEN $1 AND $2 AND scheduled_send_time <= $3)"};

std::string request_body(const domain::UserFields& person) {
    json::Writer writer;
    writer.begin_object()
        .member("firstName", person.first_name)
        .member("lastName", person.last_name)
        .member("email", person.email)
        .member("timezone", person.timezone)
        .member("birthdayDate", person.birthday_date)
        .member("anniversaryDate", person.anniversary_date)
        .member("locationCity", person.location_city)
        .member("optedOut", person.opted_out)
        .end_object();
    return writer.take();
}

void create(support::HttpClient& api, const support::HttpHeaders& headers, const domain::UserFields& person) {
    const auto reply = api.request("POST", "/api/v1/users", request_body(person), headers);
    if (reply.status != 201) {
        throw std::runtime_error("the API answered " + std::to_string(reply.status) + " to a new user in " +
                                 person.timezone + ": " + reply.body);
    }
}

/// RFC 3339 in UTC.
domain::Instant parse_instant(const std::string& text) {
    const auto day = domain::parse_date(text.substr(0, 10));
    int hours = 0;
    int minutes = 0;
    double seconds = 0;
    if (!day || std::sscanf(text.c_str() + 10, "T%2d:%2d:%lfZ", &hours, &minutes, &seconds) != 3) {
        throw std::runtime_error("not an instant: " + text);
    }
    return std::chrono::sys_days(*day) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
           std::chrono::round<std::chrono::microseconds>(std::chrono::duration<double>(seconds));
}

/// The string member of an entry; throws when the sink speaks another language.
const std::string& text_of(const json::Value& entry, const char* member) {
    const auto* value = entry.find(member);
    if (!value || !value->string())
        throw std::runtime_error(std::string("the sink's ledger has no ") + member);
    return *value->string();
}

std::int64_t number_of(const json::Value& entry, const char* member) {
    const auto* value = entry.find(member);
    const auto number = value ? value->integer() : std::nullopt;
    if (!number) throw std::runtime_error(std::string("the sink's ledger has no ") + member);
    return *number;
}

}  // namespace

void create_people(const std::vector<domain::UserFields>& people, int api_port, const std::string& api_key,
                   const std::function<void()>& progress, const std::stop_token& stop) {
    const support::HttpHeaders headers{{"Authorization", "Bearer " + api_key},
                                       {"Content-Type", "application/json"},
                                       {"Connection", "keep-alive"}};
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < connections; ++i) {
            threads.emplace_back([&] {
                try {
                    support::HttpClient api(api_port);
                    for (auto n = next++; n < people.size() && !stop.stop_requested(); n = next++) {
                        create(api, headers, people[n]);
                        progress();
                    }
                } catch (...) {
                    next = people.size();
                    const std::lock_guard lock(mutex);
                    failure = std::current_exception();
                }
            });
        }
    }
    if (failure) std::rethrow_exception(failure);
}

Database::Database(const std::string& url)
    : connection_(postgres::ConnectionSettings{.url = url, .application_name = "tidings-demo"}) {}

std::vector<std::string> Database::zones() {
    std::vector<std::string> names;
    for (const auto row : connection_.run(zone_names)) names.push_back(row.get<std::string>(0));
    return names;
}

Clock Database::set_clock(domain::Instant base, double factor) {
    connection_.run(turn_clock, base, factor);
    const auto rows = connection_.run(read_clock);
    const auto row = rows.front();
    return {row.get<domain::Instant>(0), row.get<domain::Instant>(1), row.get<double>(2)};
}

Progress Database::progress(domain::Instant begin, domain::Instant end) {
    // A local date is at most a day from the UTC one.
    const domain::Date first(std::chrono::floor<std::chrono::days>(begin) - std::chrono::days(1));
    const domain::Date last(std::chrono::floor<std::chrono::days>(end) + std::chrono::days(1));
    const auto rows = connection_.run(count_messages, first, last, end);
    const auto row = rows.front();
    return {row.get<int>(0), row.get<int>(1), row.get<int>(2)};
}

SinkLedger::SinkLedger(int port) : client_(port) {
    catch_up();
    emails_.clear();
}

const std::vector<Email>& SinkLedger::catch_up() {
    while (read_page()) {
    }
    return emails_;
}

/// Whether there may be another page.
bool SinkLedger::read_page() {
    const auto reply = client_.request(
        "GET", "/ledger?after=" + std::to_string(last_) + "&limit=" + std::to_string(page_size));
    if (reply.status != 200) throw std::runtime_error("the sink answered " + std::to_string(reply.status));
    const auto page = json::parse(reply.body, page_limits);
    const auto* list = page ? page->find("entries") : nullptr;
    if (!list || !list->array()) throw std::runtime_error("the sink's ledger cannot be read");
    for (const auto& entry : *list->array()) {
        last_ = number_of(entry, "sequence");
        // A refused request made no e-mail; one that a careful provider recognised as a repeat counts against
        // us.
        if (number_of(entry, "status") / 100 == 2) {
            emails_.push_back({parse_instant(text_of(entry, "received_at")), text_of(entry, "email"),
                               text_of(entry, "message")});
        }
    }
    return list->array()->size() == page_size;
}

}  // namespace demo
