#include "tests/drill/script.hpp"

#include <algorithm>

#include "tests/support/year/dice.hpp"

namespace drill {

std::vector<Blow> write_script(const Chances& chances) {
    year::Dice dice(chances.seed, 0);
    std::vector<Blow> script;
    const auto add = [&](Blow::Kind kind, int count) {
        for (int i = 0; i < count; ++i) {
            const auto victim = kind == Blow::Kind::kill ? dice.below(static_cast<int>(chances.cast)) : 0;
            script.push_back({kind, dice.below(chances.messages), static_cast<std::size_t>(victim)});
        }
    };
    add(Blow::Kind::kill, chances.kills);
    add(Blow::Kind::cut_broker, chances.cuts);
    add(Blow::Kind::cut_database, chances.cuts);
    add(Blow::Kind::slow_provider, chances.slow);
    std::ranges::stable_sort(script, {}, &Blow::after);
    return script;
}

std::string text(const Blow& blow) {
    const std::string when = "after " + std::to_string(blow.after) + ": ";
    switch (blow.kind) {
        case Blow::Kind::kill:
            return when + "kill " + std::to_string(blow.victim);
        case Blow::Kind::cut_broker:
            return when + "cut the broker";
        case Blow::Kind::cut_database:
            return when + "cut the database";
        case Blow::Kind::slow_provider:
            return when + "slow the provider";
    }
    return when;
}

}  // namespace drill
