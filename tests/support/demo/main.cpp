// tidings-demo: two days of the whole system in two minutes, with a verdict that does not ask the system.

#include <CLI/CLI.hpp>
#include <atomic>
#include <clocale>
#include <fstream>
#include <iostream>

#include "tests/support/demo/interruption.hpp"
#include "tests/support/demo/live_system.hpp"
#include "tests/support/demo/population.hpp"
#include "tests/support/demo/screen.hpp"
#include "tests/support/demo/text.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int exit_interrupted = 130;
constexpr auto tick = 200ms;
// For what is due at the very end; later than this it is late anyway, and waiting on would only hide it.
constexpr auto patience = 10s;

struct Options {
    std::string api;
    std::string api_key_file;
    std::string database;
    std::string sink;
    std::size_t users = 2400;
    int hours = 50;
    int seconds = 120;
    std::uint64_t seed = 1;
};

void add_options(CLI::App& app, Options& options) {
    app.add_option("--api", options.api, "http://127.0.0.1:PORT of api-svc")->required();
    app.add_option("--api-key-file", options.api_key_file, "a file with a key that may create users")
        ->required();
    app.add_option("--database", options.database, "the services' database, whose clock the demo sets")
        ->required();
    app.add_option("--sink", options.sink, "http://127.0.0.1:PORT of the e-mail sink")->required();
    app.add_option("--users", options.users, "how many people")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--hours", options.hours, "how much time passes")
        ->check(CLI::Range(1, 24 * 60))
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "in how much real time")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "other people")->capture_default_str();
}

/// Of an address on this machine.
int port_of(const std::string& url) {
    constexpr std::string_view prefix = "http://127.0.0.1:";
    if (!url.starts_with(prefix)) throw std::runtime_error("not http://127.0.0.1:PORT: " + url);
    return std::stoi(url.substr(prefix.size()));
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) throw std::runtime_error("cannot read a key from " + path);
    return line;
}

domain::Instant real_now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

void create(const std::vector<domain::UserFields>& people, const Options& options, demo::Screen& screen,
            demo::Interruption& interruption) {
    std::atomic<std::size_t> created = 0;
    std::exception_ptr failure;
    std::jthread creator([&] {
        try {
            demo::create_people(
                people, port_of(options.api), first_line(options.api_key_file), [&] { ++created; },
                interruption.token());
        } catch (...) {
            failure = std::current_exception();
            created = people.size();
        }
    });
    while (!interruption.comes_within(tick)) {
        const std::size_t so_far = created;
        if (so_far == people.size()) break;
        screen.count("Creating people over HTTP:", so_far, people.size());
    }
    creator.join();
    if (failure) std::rethrow_exception(failure);
    screen.count("Creating people over HTTP:", created, people.size());
}

/// The clock of all services, stopped at `base`; in the end it goes on at its usual pace from wherever it is.
class BorrowedClock {
public:
    BorrowedClock(demo::Database& database, domain::Instant base)
        : database_(database), clock_(database.set_clock(base, 0)) {}
    BorrowedClock(const BorrowedClock&) = delete;
    BorrowedClock& operator=(const BorrowedClock&) = delete;
    ~BorrowedClock() {
        try {
            database_.set_clock(clock_.shows_at(real_now()), 1);
        } catch (const std::exception& error) {
            std::cerr << "tidings-demo: the clock stays as it is: " << error.what() << std::endl;
        }
    }

    const demo::Clock& run(double factor) { return clock_ = database_.set_clock(clock_.base, factor); }

private:
    demo::Database& database_;
    demo::Clock clock_;
};

/// Watches until everything due by the end was sent, or should have been.
demo::Verdict watch(demo::Database& database, demo::SinkLedger& ledger, const demo::Clock& clock,
                    const std::vector<oracle::Occasion>& occasions, demo::View& view, demo::Screen& screen,
                    demo::Interruption& interruption) {
    for (;;) {
        const auto now = real_now();
        auto verdict = demo::judge(occasions, ledger.catch_up(), clock, view.end);
        view.now = clock.shows_at(now);
        view.progress = database.progress(view.begin, view.end);
        screen.show(view, verdict);
        const auto over = clock.real(view.now - view.end);
        if (interruption.came() || over > patience || (over > 0s && verdict.lost == 0)) return verdict;
        interruption.comes_within(tick);
    }
}

int run(const Options& options) {
    demo::Interruption interruption;
    demo::Screen screen;
    demo::Database database(options.database);
    demo::SinkLedger ledger(port_of(options.sink));

    const auto zones = database.zones();
    const auto people = demo::population(zones, options.users, options.seed);
    const domain::Instant base = std::chrono::sys_days(demo::first_day) + 9h;
    demo::View view{
        .now = base, .begin = base, .end = base + std::chrono::hours(options.hours), .progress = {}};
    const double factor = 3600.0 * options.hours / options.seconds;

    screen.say("The clock stands at " + demo::calendar_time(base) + " UTC.");
    BorrowedClock borrowed(database, base);
    create(people, options, screen, interruption);
    if (interruption.came()) return exit_interrupted;

    // What is due shortly after the end may go out before the demo stops looking.
    std::vector<oracle::Occasion> occasions;
    for (const auto& person : people) {
        std::ranges::move(oracle::occasions(person, view.begin, view.end + 24h),
                          std::back_inserter(occasions));
    }
    screen.say("They live in " + demo::grouped(zones.size()) + " time zones. Now " +
               std::to_string(options.hours) + " hours pass in " + std::to_string(options.seconds) +
               " seconds.");
    screen.say("");
    const auto& clock = borrowed.run(factor);
    const auto verdict = watch(database, ledger, clock, occasions, view, screen, interruption);

    if (interruption.came()) return exit_interrupted;
    screen.conclude(verdict, view);
    screen.say("The system's clock goes on from there at its usual pace.");
    return verdict.passed() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
    CLI::App app(
        "Two days of the whole system in two minutes: people in every time zone are greeted at nine.",
        "tidings-demo");
    Options options;
    add_options(app, options);
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception& error) {
        std::cerr << "tidings-demo: " << error.what() << std::endl;
        return EXIT_FAILURE;
    }
}
