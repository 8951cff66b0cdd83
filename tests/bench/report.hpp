// What a benchmark found out: a table for a person, a JSON file for a program. Each metric has one value a
// run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class Report {
public:
    /// `name` becomes the first word of every metric and the name of the file.
    explicit Report(std::string name);

    /// A line of text for the person, printed at once.
    void note(const std::string& text) const;

    /// The value of one run; the median of all runs is the result. A metric with a dot in it is named
    /// already.
    void add(const std::string& metric, double value, const std::string& unit);
    /// Something that must not happen; the sum over all runs is the result.
    void count_fault(const std::string& metric, std::int64_t count);

    std::int64_t faults() const;

    /// Prints the table and writes `$BENCH_OUT/NAME.json`, or none without BENCH_OUT. The exit code: 1 when
    /// there was a fault. No timing is ever a failure.
    int finish() const;

private:
    struct Result {
        std::string metric;
        std::string unit;
        bool is_fault = false;
        std::vector<double> runs{};

        double value() const;
    };

    Result& result(const std::string& metric, const std::string& unit, bool is_fault);
    std::string json() const;

    std::string name_;
    std::vector<Result> results_;  // in the order they were first named
};

/// The value that a share of `rank` (0 to 1) does not exceed; sorts. 0 when there are none.
double percentile(std::vector<double>& values, double rank);

}  // namespace bench
