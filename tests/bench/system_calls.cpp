#include "tests/bench/system_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <vector>

#include "tests/support/eventually.hpp"

namespace bench {

SystemCalls::SystemCalls(pid_t pid)
    : strace_("/usr/bin/strace", {"-f", "-c", "-U", "calls,name", "-p", std::to_string(pid)}, {}) {
    const bool attached = support::eventually(
        [&] { return !strace_.running() || strace_.log().find("attached") != std::string::npos; });
    if (!attached || !strace_.running())
        throw CannotTrace("system calls cannot be counted here: " + strace_.log());
}

std::map<std::string, double> SystemCalls::stop() {
    strace_.send_signal(SIGINT);
    strace_.wait_for_exit();
    // A line "CALLS NAME" each, between two rulers; before these, who was attached.
    std::map<std::string, double> calls;
    std::istringstream lines(strace_.log());
    int rulers = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("---")) {
            ++rulers;
            continue;
        }
        std::istringstream fields(line);
        double count = 0;
        std::string name;
        if (rulers == 1 && fields >> count >> name) calls[name] = count;
    }
    if (rulers < 2) throw CannotTrace("strace has no summary: " + strace_.log());
    return calls;
}

void report_system_calls(Report& report, const std::string& name, const std::map<std::string, double>& calls,
                         double count, const std::string& unit) {
    std::vector<std::pair<double, std::string>> by_number;
    double total = 0;
    for (const auto& [call, number] : calls) {
        by_number.emplace_back(number / count, call);
        total += number;
    }
    report.add("syscalls_" + name, total / count, "1/" + unit);
    std::ranges::sort(by_number, std::greater{});
    std::string most;
    for (const auto& [number, call] : by_number) {
        if (number >= 0.005) most += fmt::format("  {} {:.2f}", call, number);
    }
    report.note(fmt::format("system calls of {} per {}:{}", name, unit, most));
}

}  // namespace bench
