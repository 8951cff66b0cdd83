#include "libcore/runtime/loops.hpp"

#include <fmt/format.h>

#include <utility>

namespace runtime {

Loops::Loops(Registry& registry, std::chrono::milliseconds stuck_after)
    : registry_(registry), stuck_after_(stuck_after) {}

Loops::Watch::Watch(Loops& loops, std::string name, BusySince busy_since) : loops_(loops) {
    const std::lock_guard lock(loops_.mutex_);
    place_ = loops_.watched_.emplace(loops_.watched_.end(), std::move(name), std::move(busy_since));
}

Loops::Watch::~Watch() {
    const std::lock_guard lock(loops_.mutex_);
    loops_.watched_.erase(place_);
}

CheckResult Loops::alive() const {
    CheckResult result;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, busy_since] : watched_) {
        const auto since = busy_since();
        if (!since) continue;
        const auto busy = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - *since);
        if (busy <= stuck_after_) continue;
        result.ok = false;
        if (!result.detail.empty()) result.detail += "; ";
        result.detail += fmt::format("{}: in one round for {} s", name,
                                     std::chrono::floor<std::chrono::seconds>(busy).count());
    }
    return result;
}

}  // namespace runtime
