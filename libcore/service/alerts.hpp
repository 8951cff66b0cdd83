// What of the database somebody should look at: each signal is held against three thresholds, and the last
// changes are kept. Pure: time is an argument.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace service {

enum class Severity { none, info, warning, critical };
const char* to_string(Severity severity);

/// A number of this moment.
struct Signal {
    static constexpr double never = std::numeric_limits<double>::infinity();

    std::string name;
    std::string pool;  ///< empty: of all pools
    double value;
    std::array<double, 3> thresholds;  ///< from which on it is info, warning, critical
    /// So many rounds in a row must agree: what lasts for a moment is nobody's business.
    int rounds = 1;
    bool minor = false;  ///< the service can do without what it is about
};

struct Alert {
    using Time = std::chrono::system_clock::time_point;

    std::string name;
    std::string pool;
    Severity severity;
    double value;
    double threshold;  ///< the one that is reached
    Time since;        ///< the alert has had this severity
    bool minor = false;
};

struct AlertChange {
    Alert alert;
    Severity before;
};

class Alerts {
public:
    using Time = Alert::Time;

    static constexpr std::size_t most_changes = 100;

    /// One round. A signal that is not among these any more is over.
    void look(std::span<const Signal> signals, Time now);

    /// The most severe first.
    std::vector<Alert> current() const;
    /// The oldest first.
    const std::deque<AlertChange>& changes() const { return changes_; }

private:
    struct Watched {
        Alert alert;
        int rounds = 0;  ///< for so many, all were above what is told, or all below
        Severity candidate = Severity::none;
    };

    void look(const Signal& signal, Time now);
    void change(Watched& watched, Severity severity, Time now);

    std::vector<Watched> watched_;
    std::deque<AlertChange> changes_;
};

}  // namespace service
