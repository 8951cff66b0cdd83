// How the demo looks: four lines repainted in place on a terminal, a line every few seconds elsewhere, and
// the verdict as a table. One thread.
#pragma once

#include <chrono>
#include <string>

#include "tests/support/demo/live_system.hpp"
#include "tests/support/demo/verdict.hpp"

namespace demo {

/// What there is to see at one moment.
struct View {
    domain::Instant now;  ///< on the scaled clock
    domain::Instant begin;
    domain::Instant end;
    Progress progress;
};

class Screen {
public:
    /// Looks at standard output, and at NO_COLOR.
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// A line that stays.
    void say(const std::string& line);
    /// A count that grows; repainted, or said once at the end.
    void count(const std::string& what, std::size_t done, std::size_t all);
    void show(const View& view, const Verdict& so_far);
    void conclude(const Verdict& verdict, const View& view);

private:
    std::size_t width() const;
    std::string styled(const char* style, const std::string& text) const;
    void repaint(const std::vector<std::string>& lines, const std::vector<const char*>& styles);
    void settle();
    void examples(const Verdict& verdict);

    const bool terminal_;
    const bool colour_;
    std::size_t painted_ = 0;  ///< lines above the cursor that the next repaint replaces
    std::chrono::steady_clock::time_point last_line_{};
};

}  // namespace demo
