#include "tests/support/demo/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

#include "tests/support/demo/text.hpp"
#include "tests/support/oracle/civil_time.hpp"

namespace demo {

namespace {

constexpr auto between_plain_lines = std::chrono::seconds(5);
constexpr std::size_t widest = 96;
constexpr std::size_t most_examples = 16;

constexpr auto bold = "\x1b[1m";
constexpr auto cyan = "\x1b[36m";
constexpr auto dim = "\x1b[2m";
constexpr auto green = "\x1b[1;32m";
constexpr auto red = "\x1b[1;31m";
constexpr auto plain = "";

std::string bar(double share, std::size_t width) {
    const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
    std::string text;
    for (std::size_t i = 0; i < width; ++i) text += i < full ? "━" : "─";
    return text;
}

/// The world from UTC−12 to UTC+14, with a dot where it is nine in the morning.
std::string world(const std::vector<int>& at_nine) {
    std::string text = "−12 ";
    for (int offset = -12; offset <= 14; ++offset) {
        text += std::count(at_nine.begin(), at_nine.end(), offset) ? "●" : "·";
    }
    return text + " +14";
}

/// Rather than UTC, Etc/GMT+3 or Japan.
bool is_a_place(const std::string& zone) {
    return zone.find('/') != std::string::npos && !zone.starts_with("Etc/");
}

std::string lateness_of(const Verdict& verdict) {
    if (verdict.deliveries.empty()) return "";
    return "lateness " + in_milliseconds(verdict.lateness(0.5)) + ", at most " +
           in_milliseconds(verdict.lateness(1));
}

std::string counts(const View& view, const Verdict& so_far) {
    const auto number = [](int n) { return grouped(static_cast<std::uint64_t>(n)); };
    return "planned " + number(view.progress.planned) + "   queued " + number(view.progress.queued) +
           "   sent " + number(view.progress.sent) + " of " + grouped(so_far.expected) + "   " +
           lateness_of(so_far);
}

std::string latest(const Verdict& so_far) {
    if (so_far.deliveries.empty()) return "";
    const auto& occasion = *so_far.deliveries.back().occasion;
    return padded(occasion.timezone, 32) + " " + occasion.text;
}

}  // namespace

Screen::Screen()
    : terminal_(isatty(STDOUT_FILENO) != 0), colour_(terminal_ && std::getenv("NO_COLOR") == nullptr) {
    if (terminal_) std::cout << "\x1b[?25l";
}

Screen::~Screen() {
    if (terminal_) std::cout << "\x1b[?25h" << std::flush;
}

void Screen::say(const std::string& line) {
    settle();
    std::cout << line << std::endl;
}

void Screen::count(const std::string& what, std::size_t done, std::size_t all) {
    const auto text = what + " " + grouped(done) + " of " + grouped(all);
    if (terminal_) {
        repaint({text}, {plain});
    } else if (done == all) {
        say(text);
    }
}

void Screen::show(const View& view, const Verdict& so_far) {
    const auto share = (view.now - view.begin) / std::chrono::duration<double>(view.end - view.begin);
    const auto at_nine = offsets_at_nine(view.now);
    if (terminal_) {
        repaint({calendar_time(view.now) + " UTC   " + bar(share, 32),
                 padded("09:00 at " + names_of(at_nine), 28) + world(at_nine), counts(view, so_far),
                 latest(so_far)},
                {bold, cyan, plain, dim});
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last_line_ >= between_plain_lines) {
        last_line_ = now;
        say(calendar_time(view.now) + " UTC   09:00 at " + padded(names_of(at_nine), 18) +
            counts(view, so_far));
    }
}

void Screen::conclude(const Verdict& verdict, const View& view) {
    const auto row = [&](const std::string& name, std::size_t number, const std::string& note) {
        const auto value = grouped(number);
        say("  " + padded(name, 14) + std::string(8 - std::min<std::size_t>(8, value.size()), ' ') + value +
            (note.empty() ? "" : "   " + styled(dim, note)));
    };
    say("");
    say(styled(bold, "What the e-mail provider received, against a calculation of our own"));
    row("expected", verdict.expected, "due until " + calendar_time(view.end) + " UTC");
    row("planned", static_cast<std::size_t>(view.progress.planned), "by the system itself");
    row("sent", verdict.sent,
        "the right text to the right address" +
            (verdict.sent_also == 0 ? "" : "; " + grouped(verdict.sent_also) + " more, due after the end"));
    row("early", verdict.early, "");
    row("late", verdict.late, "more than 2 real seconds");
    row("twice", verdict.twice, "");
    row("lost", verdict.lost, "");
    row("unexpected", verdict.unexpected, "");
    row("wrong text", verdict.wrong_text, "");
    say("  lateness      " + in_milliseconds(verdict.lateness(0.5)) + " median, " +
        in_milliseconds(verdict.lateness(0.99)) + " p99, " + in_milliseconds(verdict.lateness(1)) +
        " at most, in real time");
    for (const auto& complaint : verdict.complaints) say(styled(red, "  " + shortened(complaint, widest)));
    examples(verdict);
    say("");
    say(verdict.passed() ? styled(green, "PASS") + "  Everybody heard once, in their own morning."
                         : styled(red, "FAIL") + "  Not everybody heard exactly once and on time.");
}

/// The first delivery in each script.
void Screen::examples(const Verdict& verdict) {
    if (verdict.deliveries.empty()) return;
    say("");
    say(styled(bold, "Some of them, on the recipient's clock"));
    std::set<char32_t> scripts;
    for (const auto& [occasion, shown_at, lateness] : verdict.deliveries) {
        if (scripts.size() == most_examples) break;
        if (!is_a_place(occasion->timezone)) continue;
        if (!scripts.insert(script_of(occasion->text)).second) continue;
        const auto wall = oracle::Zone(occasion->timezone).wall_time_at(occasion->instant);
        const auto local = calendar_time(domain::Instant(wall.time_since_epoch()));
        say("  " + local + " + " + padded(in_milliseconds(lateness), 7) + "  " +
            padded(occasion->timezone, 22) + "  " + occasion->text);
    }
}

std::size_t Screen::width() const {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    // One less: a letter in the last column would make some terminals wrap.
    return std::min<std::size_t>(widest, known ? size.ws_col - 1u : 79u);
}

std::string Screen::styled(const char* style, const std::string& text) const {
    return colour_ && *style ? style + text + "\x1b[0m" : text;
}

void Screen::repaint(const std::vector<std::string>& lines, const std::vector<const char*>& styles) {
    if (painted_ > 0) std::cout << "\x1b[" << painted_ << "A";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::cout << "\r" << styled(styles[i], shortened(lines[i], width())) << "\x1b[K\n";
    }
    painted_ = lines.size();
    std::cout << std::flush;
}

/// Leaves what was painted last where it is.
void Screen::settle() {
    painted_ = 0;
}

}  // namespace demo
