#include "libcore/domain/explanation.hpp"

#include <array>

namespace domain {

std::string spoken(Instant instant) {
    return to_string(
        std::chrono::time_point_cast<Instant::duration>(std::chrono::floor<std::chrono::seconds>(instant)));
}

std::string spoken(std::chrono::microseconds duration) {
    using namespace std::chrono_literals;
    struct Unit {
        std::chrono::seconds size;
        const char* name;
    };
    constexpr std::array<Unit, 4> units = {{{24h, " d"}, {1h, " h"}, {1min, " min"}, {1s, " s"}}};
    auto rest = std::chrono::floor<std::chrono::seconds>(duration);
    std::string text;
    int named = 0;
    for (const auto& [size, name] : units) {
        const auto count = rest / size;
        rest %= size;
        if (count == 0 && named == 0) continue;
        if (count > 0) text += (named > 0 ? " " : "") + std::to_string(count) + name;
        if (++named == 2) break;
    }
    return text.empty() ? "less than 1 s" : text;
}

}  // namespace domain
