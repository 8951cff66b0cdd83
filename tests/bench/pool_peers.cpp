#include "tests/bench/pool_peers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "libcore/json/parser.hpp"
#include "tests/bench/machine.hpp"
#include "tests/bench/report.hpp"
#include "tests/support/process.hpp"

namespace bench {

namespace {

namespace fs = std::filesystem;

// Debian's; it is in no PATH.
constexpr auto pgbench = "/usr/lib/postgresql/15/bin/pgbench";
constexpr int processors = 2;

std::string output_of(const std::string& program, const std::vector<std::string>& arguments,
                      const support::Environment& environment, std::chrono::seconds time) {
    auto finished = support::run(program, arguments, environment, time + std::chrono::seconds(60));
    if (finished.exit_code != 0) throw std::runtime_error(program + " failed:\n" + finished.output);
    return std::move(finished.output);
}

/// The number behind `word` in what pgbench prints.
double number_behind(const std::string& text, const std::string& word) {
    const auto found = text.find(word);
    if (found == std::string::npos)
        throw std::runtime_error("pgbench says nothing of " + word + ":\n" + text);
    return std::stod(text.substr(found + word.size()));
}

/// In milliseconds, and nothing of them stays.
std::vector<double> logged_times(const fs::path& folder, const std::string& prefix) {
    std::vector<double> times;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        std::ifstream log(entry.path());
        double client = 0, number = 0, microseconds = 0;
        for (std::string rest; log >> client >> number >> microseconds; std::getline(log, rest))
            times.push_back(microseconds / 1000);
        fs::remove(entry.path());
    }
    if (times.empty()) throw std::runtime_error("pgbench has logged nothing");
    return times;
}

double number_at(const json::Value& value, std::string_view name) {
    const auto* member = value.find(name);
    if (member == nullptr || !member->real())
        throw std::runtime_error("the peer's answer lacks " + std::string(name));
    return *member->real();
}

}  // namespace

ClosedLoop read_by_pgbench(const support::TestDatabase& database, const std::string& script,
                           const Reading& reading) {
    const auto folder = fs::temp_directory_path();
    const std::string log = fmt::format("tidings-pgbench-{}-log.", database.port());
    const auto file = folder / fmt::format("tidings-pgbench-{}.sql", database.port());
    std::ofstream(file) << script << '\n';
    const auto before = processor_time_of_ended();
    const auto output = output_of(
        pgbench,
        {"--no-vacuum", "--protocol=prepared", "--file=" + file.string(), "--log", "--sampling-rate=0.02",
         "--log-prefix=" + (folder / log).string(), fmt::format("--client={}", reading.connections),
         fmt::format("--jobs={}", std::min(processors, reading.connections)),
         fmt::format("--time={}", reading.time.count()), database.url()},
        {}, reading.time);
    const auto spent = processor_time_of_ended() - before;
    fs::remove(file);
    auto times = logged_times(folder, log);
    return {.per_second = number_behind(output, "\ntps = "),
            .p50 = percentile(times, 0.5),
            .p99 = percentile(times, 0.99),
            .processor = static_cast<double>(spent.count()) /
                         number_behind(output, "transactions actually processed: ")};
}

std::optional<std::string> node_folder() {
    const char* folder = std::getenv("BENCH_PEERS");
    if (folder == nullptr || !fs::exists(std::string(folder) + "/node_modules/.bin/node"))
        return std::nullopt;
    return folder;
}

ClosedLoop read_by_node(const support::TestDatabase& database, const std::string& script,
                        const std::string& sql, int most, const Reading& reading) {
    const auto folder = node_folder().value();
    const auto output = output_of(folder + "/node_modules/.bin/node", {folder + "/" + script},
                                  {{"DATABASE_URL", database.url()},
                                   {"SQL", sql},
                                   {"MOST", std::to_string(most)},
                                   {"CALLERS", std::to_string(reading.callers)},
                                   {"CONNECTIONS", std::to_string(reading.connections)},
                                   {"SECONDS", std::to_string(reading.time.count())},
                                   {"NODE_ENV", "production"}},
                                  reading.time);
    const auto answer = json::parse(output);
    if (!answer) throw std::runtime_error(script + " says:\n" + output);
    return {.per_second = number_at(*answer, "per_second"),
            .p50 = number_at(*answer, "p50"),
            .p99 = number_at(*answer, "p99"),
            .processor = number_at(*answer, "processor")};
}

}  // namespace bench
