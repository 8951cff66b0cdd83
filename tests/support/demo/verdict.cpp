#include "tests/support/demo/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace demo {

namespace {

using std::chrono::microseconds;

constexpr std::size_t most_complaints = 12;

struct Owed {
    const oracle::Occasion* occasion;
    std::size_t times_sent = 0;
};
using Ledger = std::multimap<std::string, Owed>;  // by address

class Hearing {
public:
    Hearing(const std::vector<oracle::Occasion>& occasions, const Clock& clock, domain::Instant end)
        : clock_(clock), end_(end) {
        for (const auto& occasion : occasions) {
            ledger_.emplace(occasion.email, Owed{&occasion});
            if (occasion.instant <= end) ++verdict_.expected;
        }
    }

    void hear(const Email& email) {
        const auto [first, last] = ledger_.equal_range(email.address);
        const auto owed = std::find_if(
            first, last, [&](const auto& entry) { return entry.second.occasion->text == email.text; });
        if (owed == last) {
            strangers_.push_back(&email);
        } else if (++owed->second.times_sent > 1) {
            ++verdict_.twice;
            complain("twice", email);
        } else {
            deliver(*owed->second.occasion, email);
        }
    }

    Verdict conclude() {
        for (const auto* email : strangers_) {
            // Who is still waiting for a message got this one instead.
            const auto [first, last] = ledger_.equal_range(email->address);
            const auto waiting =
                std::find_if(first, last, [](const auto& e) { return e.second.times_sent == 0; });
            if (waiting == last) {
                ++verdict_.unexpected;
                complain("unexpected", *email);
            } else {
                ++waiting->second.times_sent;
                ++verdict_.wrong_text;
                complain("wrong text", *email);
            }
        }
        for (const auto& [address, owed] : ledger_) {
            if (owed.times_sent == 0 && owed.occasion->instant <= end_) {
                ++verdict_.lost;
                complain("lost", address, owed.occasion->text, owed.occasion->instant);
            }
        }
        return std::move(verdict_);
    }

private:
    void deliver(const oracle::Occasion& occasion, const Email& email) {
        const auto shown = clock_.shows_at(email.received_at);
        const auto lateness = clock_.real(shown - occasion.instant);
        ++(occasion.instant <= end_ ? verdict_.sent : verdict_.sent_also);
        verdict_.deliveries.push_back({&occasion, shown, lateness});
        if (shown < occasion.instant) {
            ++verdict_.early;
            complain("early", email);
        } else if (lateness > tolerated_lateness) {
            ++verdict_.late;
            complain("late", email);
        }
    }

    void complain(const char* what, const Email& email) {
        complain(what, email.address, email.text, clock_.shows_at(email.received_at));
    }

    void complain(const char* what, const std::string& address, const std::string& text, domain::Instant at) {
        if (verdict_.complaints.size() < most_complaints) {
            verdict_.complaints.push_back(std::string(what) + ": " + address + ", " +
                                          domain::to_string(std::chrono::floor<std::chrono::seconds>(at)) +
                                          ", " + text);
        }
    }

    const Clock clock_;
    const domain::Instant end_;
    Ledger ledger_;
    std::vector<const Email*> strangers_;
    Verdict verdict_;
};

}  // namespace

domain::Instant Clock::shows_at(domain::Instant moment) const {
    const auto run = std::max(moment - started_at, microseconds(0));
    return base + microseconds(std::llround(static_cast<double>(run.count()) * factor));
}

microseconds Clock::real(microseconds own) const {
    return microseconds(std::llround(static_cast<double>(own.count()) / factor));
}

bool Verdict::passed() const {
    return expected > 0 && early + late + twice + lost + unexpected + wrong_text == 0;
}

microseconds Verdict::lateness(double share) const {
    if (deliveries.empty()) return microseconds(0);
    std::vector<microseconds> sorted;
    for (const auto& delivery : deliveries) sorted.push_back(delivery.lateness);
    std::sort(sorted.begin(), sorted.end());
    const auto rank = std::ceil(share * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

Verdict judge(const std::vector<oracle::Occasion>& occasions, const std::vector<Email>& emails,
              const Clock& clock, domain::Instant end) {
    Hearing hearing(occasions, clock, end);
    for (const auto& email : emails) hearing.hear(email);
    return hearing.conclude();
}

}  // namespace demo
