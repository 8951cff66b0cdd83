// Which connections of a pool are lent, since when and to which place of the program; and which of them have
// been out for too long. Pure: connections are known by their places, time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

namespace postgres {

class Loans {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    struct Loan {
        Time since;
        std::source_location from;
        bool overdue = false;  ///< as far as it has been looked for
        bool opening = false;  ///< there is no connection yet: the time goes to the server
    };

    /// After zero nothing is overdue.
    explicit Loans(Duration allowed) : allowed_(allowed) {}

    void begin(int place, std::source_location from, Time now, bool opening = false) {
        at(place) = Loan{now, from, false, opening};
    }
    void opened(int place, Time now) {
        if (auto& loan = at(place)) *loan = Loan{now, loan->from};
    }
    void end(int place) { at(place).reset(); }
    std::optional<Loan> of(int place) const {
        const auto index = static_cast<std::size_t>(place);
        return index < loans_.size() ? loans_[index] : std::nullopt;
    }

    /// Names each loan that has been out for too long, once, with its place.
    std::vector<std::pair<int, Loan>> newly_overdue(Time now) {
        std::vector<std::pair<int, Loan>> found;
        if (allowed_ == Duration::zero()) return found;
        for (std::size_t place = 0; place < loans_.size(); ++place) {
            auto& loan = loans_[place];
            if (!loan || loan->opening || loan->overdue || now - loan->since < allowed_) continue;
            loan->overdue = true;
            found.emplace_back(static_cast<int>(place), *loan);
        }
        return found;
    }

    /// Before it there is nothing to find, whatever is lent meanwhile.
    Time due(Time now) const {
        if (allowed_ == Duration::zero()) return Time::max();
        Time due = now + allowed_;
        for (const auto& loan : loans_)
            if (loan && !loan->opening && !loan->overdue) due = std::min(due, loan->since + allowed_);
        return due;
    }

    int overdue() const {
        return static_cast<int>(
            std::ranges::count_if(loans_, [](const auto& loan) { return loan && loan->overdue; }));
    }

private:
    std::optional<Loan>& at(int place) {
        const auto index = static_cast<std::size_t>(place);
        if (index >= loans_.size()) loans_.resize(index + 1);
        return loans_[index];
    }

    const Duration allowed_;
    std::vector<std::optional<Loan>> loans_;  ///< by place
};

}  // namespace postgres
