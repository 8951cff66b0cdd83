// What befalls a system in a drill, and when: written by chance, and the same for the same seed. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace drill {

struct Blow {
    enum class Kind {
        kill,          ///< -9 for one of the cast
        cut_broker,    ///< every connection to it is reset
        cut_database,  ///< the same
        slow_provider  ///< for some requests
    };
    Kind kind = Kind::kill;
    int after = 0;           ///< so many messages have reached the provider
    std::size_t victim = 0;  ///< of a kill

    friend bool operator==(const Blow&, const Blow&) = default;
};

struct Chances {
    std::uint64_t seed = 1;
    int messages = 0;
    std::size_t cast = 0;  ///< how many may be killed
    int kills = 0;
    int cuts = 0;  ///< of the broker, and as many of the database
    int slow = 0;
};

/// In their order, all before the last message.
std::vector<Blow> write_script(const Chances& chances);

std::string text(const Blow& blow);

}  // namespace drill
