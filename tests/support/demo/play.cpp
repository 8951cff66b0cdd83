#include "tests/support/demo/play.hpp"

#include <atomic>
#include <fstream>
#include <iostream>
#include <thread>

#include "tests/support/demo/interruption.hpp"
#include "tests/support/demo/live_system.hpp"
#include "tests/support/demo/population.hpp"
#include "tests/support/demo/screen.hpp"
#include "tests/support/demo/text.hpp"

namespace demo {

namespace {

using namespace std::chrono_literals;

constexpr int exit_interrupted = 130;
constexpr auto tick = 200ms;
// After the end: long enough for a second copy to show, and for a straggler to be late and not yet lost.
constexpr auto aftermath = tolerated_lateness;
constexpr auto patience = 10s;

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

void create(const std::vector<domain::UserFields>& people, const Options& options, Screen& screen,
            Interruption& interruption) {
    std::atomic<std::size_t> created = 0;
    std::exception_ptr failure;
    std::jthread creator([&] {
        try {
            create_people(
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
    BorrowedClock(Database& database, domain::Instant base)
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

    const Clock& run(double factor) { return clock_ = database_.set_clock(clock_.base, factor); }

private:
    Database& database_;
    Clock clock_;
};

/// Watches until everything due by the end was sent, or should have been.
Verdict watch(Database& database, SinkLedger& ledger, const Clock& clock,
              const std::vector<oracle::Occasion>& occasions, View& view, Screen& screen,
              Interruption& interruption) {
    for (;;) {
        const auto now = real_now();
        auto verdict = judge(occasions, ledger.catch_up(), clock, view.end);
        view.now = clock.shows_at(now);
        view.progress = database.progress(view.begin, view.end);
        screen.show(view, verdict);
        const auto over = clock.real(view.now - view.end);
        if (interruption.came() || over > patience || (over > aftermath && verdict.lost == 0)) return verdict;
        interruption.comes_within(tick);
    }
}

}  // namespace

int play(const Options& options) {
    Interruption interruption;
    Screen screen;
    Database database(options.database);
    SinkLedger ledger(port_of(options.sink));

    const auto zones = database.zones();
    const auto people = population(zones, options.users, options.seed);
    const domain::Instant base = std::chrono::sys_days(first_day) + 9h;
    View view{.now = base, .begin = base, .end = base + std::chrono::hours(options.hours), .progress = {}};
    const double factor = 3600.0 * options.hours / options.seconds;

    screen.say("The clock stands at " + calendar_time(base) + " UTC.");
    BorrowedClock borrowed(database, base);
    create(people, options, screen, interruption);
    if (interruption.came()) return exit_interrupted;

    // What is due shortly after the end may go out before the demo stops looking.
    const auto last = view.end + std::chrono::round<std::chrono::microseconds>(2.0 * patience * factor);
    std::vector<oracle::Occasion> occasions;
    for (const auto& person : people) {
        std::ranges::move(oracle::occasions(person, view.begin, last), std::back_inserter(occasions));
    }
    screen.say("They live in " + grouped(zones.size()) + " time zones. Now " + std::to_string(options.hours) +
               " hours pass in " + std::to_string(options.seconds) + " seconds.");
    screen.say("");
    const auto& clock = borrowed.run(factor);
    const auto verdict = watch(database, ledger, clock, occasions, view, screen, interruption);

    if (interruption.came()) return exit_interrupted;
    screen.conclude(verdict, view);
    screen.say("The system's clock goes on from there at its usual pace.");
    return verdict.passed() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace demo
