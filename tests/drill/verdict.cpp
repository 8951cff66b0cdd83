#include "tests/drill/verdict.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <ostream>
#include <utility>

namespace drill {

namespace {

constexpr std::size_t most_lines = 20;
// No worker of a drill gives its provider less.
constexpr std::chrono::milliseconds least_patience{1'000};
// When a worker began an attempt is computed from when it ended.
constexpr std::chrono::milliseconds blur{5};
// A provider that had no processor, too, reads a request after its worker gave up.
constexpr std::chrono::milliseconds late_reading{1'000};

using Requests = std::vector<const sink::Entry*>;
using Silences = std::vector<const Silence*>;

/// Of the attempt that this request was, if that ended for want of an answer. Each is good for one request.
bool take_silence(Silences& silences, const sink::Entry& request) {
    const auto found = std::ranges::find_if(silences, [&](const Silence* one) {
        return one->to - one->from >= least_patience && one->from <= request.received_at + blur &&
               request.received_at <= one->to + late_reading;
    });
    if (found == silences.end()) return false;
    silences.erase(found);
    return true;
}

void note(std::vector<std::string>& lines, const std::string& line) {
    if (lines.size() < most_lines) lines.push_back(line);
}

std::string text(const support::LedgerRow& row) {
    return row.key + " (" + std::string(domain::to_string(row.status)) + ", attempt " +
           std::to_string(row.attempt) + ", rescues " + std::to_string(row.rescues) +
           (row.in_doubt ? ", in doubt" : "") + (row.error.empty() ? "" : ", " + row.error) + ")";
}

std::string text(const sink::Entry& request) {
    return "request " + std::to_string(request.sequence) + " of " + request.client + " at " +
           domain::to_string(request.received_at) + " answered " + std::to_string(request.status);
}

class Trial {
public:
    explicit Trial(const Evidence& evidence) : evidence_(evidence) {}

    Verdict conclude() {
        const auto comparison = support::compare(evidence_.ledger, evidence_.requests, evidence_.clock);
        verdict_.idempotent = evidence_.idempotent;
        verdict_.messages = static_cast<int>(evidence_.ledger.size());
        verdict_.lost = comparison.lost;
        verdict_.duplicated = comparison.twice;
        verdict_.early = comparison.early;
        verdict_.unexplained = comparison.unplanned;

        std::map<std::string, Requests> by_key;
        for (const sink::Entry& request : evidence_.requests) by_key[request.key].push_back(&request);
        std::map<std::string, Silences> silences;
        for (const Silence& one : evidence_.silences) silences[one.key].push_back(&one);
        for (const support::LedgerRow& row : evidence_.ledger)
            look_at(row, by_key[row.key], silences[row.key]);
        return std::move(verdict_);
    }

private:
    void look_at(const support::LedgerRow& row, const Requests& requests, Silences& silences) {
        if (row.status != domain::Status::sent) note(verdict_.complaints, "not sent: " + text(row));
        // A claim, and so an attempt, is good for one request.
        if (std::cmp_greater(requests.size(), row.attempt))
            object(row, "requests that were no attempts", *requests.back());
        for (std::size_t next = 1; next < requests.size(); ++next) {
            const sink::Entry& earlier = *requests[next - 1];
            const sink::Entry& later = *requests[next];
            if (later.message != earlier.message || later.email != earlier.email)
                object(row, "other words or another address", later);
            const bool silence = take_silence(silences, earlier);
            if (earlier.delivered || earlier.repeat) explain(row, earlier, later, silence);
        }
    }

    /// The provider had the message when the later request came.
    void explain(const support::LedgerRow& row, const sink::Entry& earlier, const sink::Entry& later,
                 bool silence) {
        const Interruption* interruption = interruption_of(earlier);
        const bool answered = earlier.status / 100 == 2;
        if (answered && !interruption && !silence) return object(row, "repeated for no reason", later);
        if (!row.in_doubt) return object(row, "repeated without a doubt on its row", later);
        ++verdict_.repeats;
        if (answered && !interruption) ++verdict_.silences;
        note(verdict_.explanations, text(later) + " repeats " + text(earlier) + ": " +
                                        (interruption ? interruption->what
                                         : answered   ? "its worker saw no answer in time"
                                                      : "no word of success"));
    }

    const Interruption* interruption_of(const sink::Entry& request) const {
        const auto found = std::ranges::find_if(evidence_.interruptions, [&](const Interruption& one) {
            return (one.client.empty() || one.client == request.client) && one.from <= request.received_at &&
                   request.received_at <= one.to;
        });
        return found == evidence_.interruptions.end() ? nullptr : &*found;
    }

    void object(const support::LedgerRow& row, const char* what, const sink::Entry& request) {
        ++verdict_.unexplained;
        note(verdict_.complaints, std::string(what) + ": " + text(request) + " for " + text(row));
    }

    const Evidence& evidence_;
    Verdict verdict_;
};

}  // namespace

bool Verdict::holds() const {
    return lost == 0 && early == 0 && unexplained == 0 && (duplicated == 0 || !idempotent);
}

std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
    return out << "lost=" << verdict.lost << " duplicated=" << verdict.duplicated
               << " early=" << verdict.early << " unexplained=" << verdict.unexplained
               << " messages=" << verdict.messages << " repeats=" << verdict.repeats
               << " silences=" << verdict.silences
               << " provider=" << (verdict.idempotent ? "idempotent" : "naive");
}

Verdict judge(const Evidence& evidence) {
    return Trial(evidence).conclude();
}

}  // namespace drill
