#include "libcore/postgres/retry.hpp"

#include <array>
#include <chrono>
#include <thread>

#include "libcore/postgres/jitter.hpp"

namespace postgres {

bool Retry::may_retry() {
    using std::chrono::milliseconds;
    static constexpr std::array pauses{milliseconds(100), milliseconds(150), milliseconds(225)};
    if (reruns_ == pauses.size()) return false;
    const auto pause = pauses[reruns_] + jitter(pauses[reruns_]);
    if (until_ - std::chrono::steady_clock::now() <= pause) return false;
    ++reruns_;
    std::this_thread::sleep_for(pause);
    return true;
}

}  // namespace postgres
