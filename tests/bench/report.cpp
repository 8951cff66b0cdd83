#include "tests/bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <stdexcept>

#include "libcore/runtime/command_line.hpp"

namespace bench {

namespace {

/// Large and whole numbers without decimals, small ones with three digits that count.
std::string readable(double value) {
    const double size = std::abs(value);
    return fmt::format("{:.{}f}", value,
                       size >= 100 || size == std::floor(size) ? 0
                       : size >= 10                            ? 1
                       : size >= 1                             ? 2
                                                               : 3);
}

std::string joined(const std::vector<double>& values, std::string (*text)(double)) {
    std::string line;
    for (const double value : values) line += (line.empty() ? "" : ", ") + text(value);
    return line;
}

std::string exact(double value) {
    return fmt::format("{:.6g}", value);
}

}  // namespace

double percentile(std::vector<double>& values, double rank) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(rank * static_cast<double>(values.size() - 1))];
}

double Report::Result::value() const {
    if (is_fault) return std::accumulate(runs.begin(), runs.end(), 0.0);
    auto sorted = runs;
    const double upper = percentile(sorted, 1);
    if (sorted.size() < 2) return upper;
    return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

Report::Report(std::string name) : name_(std::move(name)) {}

void Report::note(const std::string& text) const {
    fmt::print("{}\n", text);
    std::fflush(stdout);
}

void Report::add(const std::string& metric, double value, const std::string& unit) {
    result(metric, unit, false).runs.push_back(value);
}

void Report::count_fault(const std::string& metric, std::int64_t count) {
    result(metric, "count", true).runs.push_back(static_cast<double>(count));
}

Report::Result& Report::result(const std::string& metric, const std::string& unit, bool is_fault) {
    const auto full_name = metric.find('.') == std::string::npos ? name_ + "." + metric : metric;
    const auto found = std::ranges::find(results_, full_name, &Result::metric);
    if (found != results_.end()) return *found;
    return results_.emplace_back(Result{full_name, unit, is_fault});
}

std::int64_t Report::faults() const {
    double sum = 0;
    for (const Result& result : results_) sum += result.is_fault ? result.value() : 0;
    return static_cast<std::int64_t>(sum);
}

int Report::finish() const {
    fmt::print("\n{:<40} {:>12} {:<16} {}\n", "metric", "median", "unit", "runs");
    for (const Result& result : results_) {
        fmt::print("{:<40} {:>12} {:<16} {}\n", result.metric, readable(result.value()), result.unit,
                   joined(result.runs, readable));
    }
    if (const char* folder = std::getenv("BENCH_OUT")) {
        const auto path = std::filesystem::path(folder) / (name_ + ".json");
        std::ofstream file(path);
        if (!(file << json() << std::flush)) throw std::runtime_error("cannot write " + path.string());
        fmt::print("\nwritten to {}\n", path.string());
    }
    const bool faulty = faults() != 0;
    if (faulty) fmt::print("\nFAULTS: see the counts above that are not 0\n");
    return faulty ? 1 : 0;
}

/// Names and units are ours and need no escapes.
std::string Report::json() const {
    std::string results;
    for (const Result& result : results_) {
        results += fmt::format(R"({}{{"metric":"{}","value":{},"unit":"{}","runs":[{}]}})",
                               results.empty() ? "\n" : ",\n", result.metric, exact(result.value()),
                               result.unit, joined(result.runs, exact));
    }
    return fmt::format(R"({{"name":"{}","commit":"{}","results":[{}]}})"
                       "\n",
                       name_, runtime::commit(), results);
}

}  // namespace bench
