// Randomness for what must not happen everywhere at the same moment.
#pragma once

#include <chrono>
#include <random>

namespace postgres {

/// Between nothing and a tenth of `span`. Thread-safe.
template <class Duration>
Duration jitter(Duration span) {
    thread_local std::minstd_rand random{std::random_device{}()};
    using Count = typename Duration::rep;
    return Duration(std::uniform_int_distribution<Count>(0, span.count() / 10)(random));
}

}  // namespace postgres
