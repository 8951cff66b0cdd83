// The kill points there are, and what it takes to come by each.
#pragma once

#include <string>
#include <vector>

namespace drill {

struct Point {
    enum class Program { scheduler, worker };
    /// Come by always; only if a worker has died with messages in hand; if the provider has asked for a
    /// pause.
    enum class Needs { nothing, lost_worker, closed_provider };
    /// Whether the provider gets something again that it had from a program that died there.
    enum class Repeats { never, perhaps, surely };

    std::string name;  ///< as KILLPOINT has it
    Program program;
    Repeats repeats = Repeats::never;
    Needs needs = Needs::nothing;
    int pass = 1;  ///< at which time; for what is done message by message, not the first
};

const std::vector<Point>& points();

/// Who is to die where, at the same time. A stage is over when both have.
struct Stage {
    std::string scheduler;  ///< empty: it lives
    std::string worker;
    bool provider_closes = false;
};

/// Dies at each, in this order: together if they are two programs and one can do so on its own.
std::vector<Stage> stages_of(const std::vector<Point>& deaths);

}  // namespace drill
