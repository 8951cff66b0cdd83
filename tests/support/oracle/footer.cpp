#include "tests/support/oracle/footer.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace oracle {

namespace {

using std::chrono::seconds;

/// A position in a POSIX TZ string, read from left to right.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    bool at_end() const { return text_.empty(); }

    bool take(char c) {
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }

    void expect(char c) {
        if (!take(c)) throw std::runtime_error("not a rule that is understood: " + std::string(text_));
    }

    void skip_name() {
        const bool quoted = take('<');
        const auto end = quoted ? text_.find('>') + 1 : text_.find_first_of("+-0123456789,");
        text_.remove_prefix(std::min(end, text_.size()));
    }

    unsigned number() {
        unsigned value = 0;
        while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
            value = value * 10 + static_cast<unsigned>(text_.front() - '0');
            text_.remove_prefix(1);
        }
        return value;
    }

    bool has_time() const { return !text_.empty() && text_.front() != ','; }

    seconds time() {
        const bool negative = take('-');
        if (!negative) take('+');
        seconds value = std::chrono::hours(number());
        if (take(':')) value += std::chrono::minutes(number());
        if (take(':')) value += seconds(number());
        return negative ? -value : value;
    }

    YearlyRule rule() {
        expect(',');
        expect('M');
        YearlyRule rule;
        rule.month = std::chrono::month(number());
        expect('.');
        rule.week = number();
        expect('.');
        rule.weekday = number();
        if (take('/')) rule.time = time();
        return rule;
    }

private:
    std::string_view text_;
};

std::int64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return static_cast<std::int64_t>(value);
}

/// A TZif file (RFC 8536): the instant of its last listed change, and its last line.
std::pair<domain::Instant, std::string> last_of_file(const std::string& zone) {
    std::ifstream file("/usr/share/zoneinfo/" + zone, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    const std::string_view bytes = all;
    if (!bytes.starts_with("TZif")) throw std::runtime_error("no time-zone file: " + zone);
    const auto count = [&](std::size_t header, std::size_t n) {
        return static_cast<std::size_t>(big_endian(bytes.substr(header + 20 + 4 * n, 4)));
    };
    // The counts are of: UT flags, standard flags, leap seconds, changes, types, characters.
    const auto first_block =
        count(0, 0) + count(0, 1) + 8 * count(0, 2) + 5 * count(0, 3) + 6 * count(0, 4) + count(0, 5);
    const auto second = 44 + first_block;
    const auto changes = count(second, 3);
    const seconds last(changes == 0 ? 0 : big_endian(bytes.substr(second + 44 + 8 * (changes - 1), 8)));
    const auto line = bytes.rfind('\n', bytes.size() - 2) + 1;
    return {domain::Instant(last), std::string(bytes.substr(line, bytes.size() - 1 - line))};
}

}  // namespace

WallTime YearlyRule::in(std::chrono::year year) const {
    const std::chrono::weekday day(weekday);
    const std::chrono::sys_days date = week == 5
                                           ? std::chrono::sys_days(year / month / day[std::chrono::last])
                                           : std::chrono::sys_days(year / month / day[week]);
    return wall_time(date, time);
}

Footer::Footer(const std::string& zone) {
    const auto [last, rule] = last_of_file(zone);
    valid_from_ = last;
    parse(rule);
}

void Footer::parse(const std::string& rule) {
    Reader reader(rule);
    reader.skip_name();
    standard_ = -reader.time();
    if (reader.at_end()) return;
    reader.skip_name();
    summer_ = reader.has_time() ? -reader.time() : standard_ + std::chrono::hours(1);
    const auto start = reader.rule();
    summer_time_ = {start, reader.rule()};
}

std::vector<Transition> Footer::transitions(std::chrono::year year) const {
    if (!summer_time_) return {};
    const auto instant = [](WallTime wall, seconds offset) {
        return domain::Instant(wall.time_since_epoch() - offset);
    };
    std::vector<Transition> both{{instant(summer_time_->first.in(year), standard_), standard_, summer_},
                                 {instant(summer_time_->second.in(year), summer_), summer_, standard_}};
    std::ranges::sort(both, {}, &Transition::instant);
    return both;
}

seconds Footer::offset_at(domain::Instant instant) const {
    const auto year = domain::Date(std::chrono::floor<std::chrono::days>(instant)).year();
    auto offset = standard_;
    for (auto y = year - std::chrono::years(1); y <= year + std::chrono::years(1); ++y)
        for (const auto& change : transitions(y))
            if (change.instant <= instant) offset = change.after;
    return offset;
}

Meaning Footer::meaning_of(WallTime wall, Gap gap, Fold fold) const {
    const auto larger = std::max(standard_, summer_time_ ? summer_ : standard_);
    const auto smaller = std::min(standard_, summer_time_ ? summer_ : standard_);
    const domain::Instant earlier(wall.time_since_epoch() - larger);
    const domain::Instant later(wall.time_since_epoch() - smaller);
    const bool reads_earlier = offset_at(earlier) == larger;
    const bool reads_later = offset_at(later) == smaller;
    if (!reads_earlier && !reads_later) {
        if (gap == Gap::skip) return {.instant = std::nullopt, .in_gap = true};
        return {.instant = gap == Gap::shift_forward ? later : earlier, .in_gap = true};
    }
    if (reads_earlier && reads_later && earlier != later)
        return {.instant = fold == Fold::first ? earlier : later, .in_fold = true};
    return {.instant = reads_earlier ? earlier : later};
}

}  // namespace oracle
