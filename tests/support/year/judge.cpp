#include "tests/support/year/judge.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "tests/support/year/expectation.hpp"

namespace year {

namespace {

using namespace std::chrono_literals;
using domain::Status;

constexpr std::size_t most_complaints = 40;
// Of a share of a spread, which is rounded once here and once there.
constexpr auto rounding = 1us;

struct Request {
    Instant at{};
    const sink::Entry* entry = nullptr;
};

/// Whatever is known of one message.
struct Found {
    const Row* row = nullptr;
    std::vector<Request> requests;
};

class Digest {
public:
    Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit(context_.get(), EVP_sha256()); }

    void add(const std::string& text) { EVP_DigestUpdate(context_.get(), text.c_str(), text.size() + 1); }

    std::string text() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        EVP_DigestFinal(context_.get(), bytes.data(), nullptr);
        std::string digits;
        for (std::size_t i = 0; i < 16; ++i) {
            digits += "0123456789abcdef"[bytes[i] / 16];
            digits += "0123456789abcdef"[bytes[i] % 16];
        }
        return digits;
    }

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

class Trial {
public:
    Trial(const World& world, const Record& record)
        : world_(world), record_(record), expectation_(world, record.steps), found_(world.ids.size()) {
        gather();
    }

    Verdict conclude() {
        verdict_.users = world_.ids.size();
        verdict_.steps = record_.steps.size();
        verdict_.restless = static_cast<std::size_t>(record_.restless_steps);
        for (person_ = 0; person_ < world_.ids.size(); ++person_) {
            const auto expected = expectation_.of(person_);
            for (auto& [key, found] : found_[person_])
                if (!expected.contains(key) && !is_to_come(found)) intruder(key, found);
            for (const auto& [key, one] : expected) {
                const Found& found = found_[person_][key];
                if (one.instant < world_.end || !is_to_come(found)) compare(key, one, found);
            }
        }
        verdict_.digest = digest_.text();
        return std::move(verdict_);
    }

private:
    void gather() {
        std::map<domain::Uuid, std::size_t> numbers;
        for (std::size_t i = 0; i < world_.ids.size(); ++i) numbers[world_.ids[i]] = i;
        std::map<std::string, Found*> by_key;
        for (const Row& row : record_.rows) {
            Found& found = found_[numbers.at(row.user)][{row.type, row.date}];
            found.row = &row;
            by_key[row.key] = &found;
        }
        for (const sink::Entry& entry : record_.requests) {
            auto& found = by_key[entry.key];
            if (!found) {
                stray(entry);
                continue;
            }
            found->requests.push_back({clock(entry.received_at), &entry});
        }
    }

    /// What the ledger's clock showed.
    Instant clock(Instant real) const {
        const auto after = std::ranges::upper_bound(record_.steps, real, {}, &Step::began);
        return after == record_.steps.begin() ? after->at : std::prev(after)->at;
    }

    /// After the end: how far ahead it is planned, and for whom, is told when it is due.
    bool is_to_come(const Found& found) const {
        return found.requests.empty() && (!found.row || found.row->instant >= world_.end);
    }

    void stray(const sink::Entry& entry) {
        ++verdict_.unexpected;
        complain("under a key that no message has: " + entry.key + " " + entry.message);
    }

    void intruder(const Key& key, const Found& found) {
        ++verdict_.unexplained;
        complain("nobody was owed this", key, nullptr, found);
        verdict_.unexpected += deliveries(found).size();
    }

    static std::vector<const Request*> deliveries(const Found& found) {
        std::vector<const Request*> all;
        for (const Request& request : found.requests)
            if (request.entry->delivered) all.push_back(&request);
        return all;
    }

    void fault(std::size_t& counter, const char* what, const Key& key, const Expected& expected,
               const Found& found) {
        ++counter;
        complain(what, key, &expected, found);
    }

    void compare(const Key& key, const Expected& expected, const Found& found) {
        const auto delivered = deliveries(found);
        ++verdict_.by_status[expected.status];
        if (std::ranges::any_of(found.requests,
                                [&](const auto& r) { return r.at + rounding < expected.instant; }))
            fault(verdict_.early, "early", key, expected, found);
        if (expected.status == Status::sent) {
            compare_sent(key, expected, found, delivered);
        } else {
            if (!delivered.empty())
                fault(verdict_.unexpected, "sent and should not be", key, expected, found);
            else if (!found.row || (found.row->status != expected.status && !is_in_doubt(expected, found)))
                fault(verdict_.unexplained, "ended otherwise", key, expected, found);
            if (expected.status == Status::missed) explain(key, expected, found);
        }
        if (found.row && abs(found.row->instant - expected.instant) > rounding)
            fault(verdict_.unexplained, "planned for another instant", key, expected, found);
        sum_up(key, expected, found, delivered);
    }

    /// Of what may have been delivered by a worker that died, nobody says that it failed.
    static bool is_in_doubt(const Expected& expected, const Found& found) {
        return expected.status == Status::failed && expected.may_come_twice && found.row &&
               found.row->in_doubt && found.row->status == Status::unknown;
    }

    void compare_sent(const Key& key, const Expected& expected, const Found& found,
                      const std::vector<const Request*>& delivered) {
        if (delivered.empty() || !found.row || found.row->status != Status::sent)
            return fault(verdict_.lost, "lost", key, expected, found);
        ++verdict_.messages;
        if (expected.latest - expected.instant > 15min) ++verdict_.delayed;
        const Instant at = delivered.front()->at;
        if (at < expected.earliest || at > expected.latest)
            fault(verdict_.misplaced, "not at its time", key, expected, found);
        if (delivered.size() > 1) {
            if (expected.may_come_twice && found.row->in_doubt)
                verdict_.repeats += delivered.size() - 1;
            else
                fault(verdict_.twice, "twice", key, expected, found);
        }
        for (const Request* request : delivered) {
            const Wording wording{request->entry->email, request->entry->message};
            if (std::ranges::find(expected.wordings, wording) == expected.wordings.end() ||
                request->entry->message != delivered.front()->entry->message)
                fault(verdict_.wrong_text, "wrong text or address", key, expected, found);
        }
    }

    /// What kept it from being sent in time: an outage while it should have been planned, dispatched or
    /// delivered, or a change that made it due only when it was too late.
    void explain(const Key& key, const Expected& expected, const Found& found) {
        const Instant last = expected.missed_at.value_or(expected.instant);
        bool explained = false;
        for (const Outage& outage : world_.outages) {
            const bool concerns = outage.fault != Fault::type_pause || outage.type == key.first;
            const auto from =
                outage.fault == Fault::planner ? outage.from : std::max(outage.from, expected.instant);
            if (!concerns || outage.to < expected.instant || from > last || explained) continue;
            ++verdict_.missed[year::text(outage.fault)];
            explained = true;
        }
        if (explained) return;
        const auto moved = [&](Instant at) { return at > expected.instant && at <= last; };
        if (std::ranges::any_of(world_.changes,
                                [&](const Change& c) { return c.person == person_ && moved(c.at); }))
            ++verdict_.missed["the user changed"];
        else if (std::ranges::any_of(world_.edits, [&](const Edit& edit) { return moved(edit.at); }))
            ++verdict_.missed["the type was edited"];
        else
            fault(verdict_.unexplained, "missed for no reason", key, expected, found);
    }

    void sum_up(const Key& key, const Expected& expected, const Found& found,
                const std::vector<const Request*>& delivered) {
        const bool certain = expected.earliest == expected.latest;
        const auto status = is_in_doubt(expected, found) ? domain::to_string(expected.status)
                            : found.row                  ? domain::to_string(found.row->status)
                                                         : "none";
        std::string line = std::to_string(person_) + "|" + key.first + "|" + domain::to_string(key.second) +
                           "|" + std::string(status) + "|";
        if (!delivered.empty()) {
            line += domain::to_string(certain ? delivered.front()->at : expected.latest) + "|";
            // Of several texts it may be either; none was to be sent.
            line += expected.wordings.size() > 1 ? expected.wordings.front().text
                                                 : delivered.front()->entry->message;
        }
        digest_.add(line);
    }

    void complain(const std::string& what) {
        if (verdict_.complaints.size() < most_complaints) verdict_.complaints.push_back(what);
    }

    void complain(const char* what, const Key& key, const Expected* expected, const Found& found) {
        if (verdict_.complaints.size() >= most_complaints) return;
        std::string line = std::string(what) + ": person " + std::to_string(person_) + " (" +
                           domain::to_string(world_.ids[person_]) + ") " + key.first + " of " +
                           domain::to_string(key.second);
        line += "\n  must be: " + (expected ? text(*expected) : "nothing");
        line += "\n  found:   " + text(found);
        const Instant about = expected ? expected->instant : found.row ? found.row->instant : Instant{};
        for (const Change& change : world_.changes)
            if (change.person == person_)
                line += "\n  changed: " + domain::to_string(change.at) + " " + text(change);
        for (const Edit& edit : world_.edits)
            if (edit.type.name == key.first && edit.at > about - 12 * 24h && edit.at < about + 12 * 24h)
                line += "\n  edited:  " + domain::to_string(edit.at) + " " + edit.type.text;
        for (const Outage& outage : world_.outages)
            if (outage.from < about + 12 * 24h && outage.to > about - 30h)
                line += "\n  around:  " + year::text(outage);
        complain(line);
    }

    static std::string text(const Expected& expected) {
        std::string line = std::string(domain::to_string(expected.status)) + " of " +
                           domain::to_string(expected.instant) + " in " + expected.zone;
        if (expected.status == Status::sent)
            line += ", sent from " + domain::to_string(expected.earliest) + " to " +
                    domain::to_string(expected.latest);
        for (const auto& wording : expected.wordings) line += ", '" + wording.text + "' to " + wording.email;
        return line;
    }

    static std::string text(const Found& found) {
        std::string line = "no row";
        if (found.row)
            line = std::string(domain::to_string(found.row->status)) + " of " +
                   domain::to_string(found.row->instant) + (found.row->in_doubt ? " in doubt" : "") + " " +
                   found.row->error;
        for (const auto& [at, entry] : found.requests)
            line += ", " + domain::to_string(at) + " answered " + std::to_string(entry->status) + " '" +
                    entry->message + "' to " + entry->email;
        return line;
    }

    static std::string text(const Change& change) {
        const auto& fields = change.after.fields;
        std::string line = change.kind == Change::Kind::added        ? "added"
                           : change.kind == Change::Kind::deleted    ? "deleted"
                           : change.kind == Change::Kind::edited     ? "edited"
                           : change.kind == Change::Kind::date_added ? "date added " + change.date.type
                                                                     : "date removed " + change.date.type;
        line += " " + fields.timezone;
        if (fields.birthday_date) line += " born " + domain::to_string(*fields.birthday_date);
        if (fields.anniversary_date) line += " joined " + domain::to_string(*fields.anniversary_date);
        for (const auto& date : change.after.dates)
            line += " " + date.type + (date.one_off ? " once " : " ") + domain::to_string(date.date);
        return line + (fields.opted_out ? " opted out" : "");
    }

    const World& world_;
    const Record& record_;
    Expectation expectation_;
    std::vector<std::map<Key, Found>> found_;  ///< of each person
    std::size_t person_ = 0;
    Digest digest_;
    Verdict verdict_;
};

}  // namespace

std::size_t Verdict::faults() const {
    return early + lost + twice + misplaced + unexpected + wrong_text + unexplained + restless;
}

Verdict judge(const World& world, const Record& record) {
    return Trial(world, record).conclude();
}

}  // namespace year
