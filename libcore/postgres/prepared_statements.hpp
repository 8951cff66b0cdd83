// What one session of the server has prepared, as far as this side knows, and under which names. Of too many,
// the one used longest ago makes room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libcore/postgres/statement.hpp"

namespace postgres {

class PreparedStatements {
public:
    explicit PreparedStatements(std::size_t most = 256) : most_(most) {}

    struct Known {
        std::string name;     ///< at the server
        bool ready = false;   ///< the server has it
        bool proven = false;  ///< and has run it
        std::uint64_t used = 0;
    };

    /// Valid until the next call.
    Known& use(const Statement& statement);
    /// The server refused it; says whether it was about the preparation, which the next attempt mends.
    bool mend(const Statement& statement, std::string_view sqlstate);

    /// Names that the server is to forget, before it is asked for anything else.
    const std::vector<std::string>& outdated() const { return outdated_; }
    void forgotten() { outdated_.clear(); }
    void clear();

private:
    void make_room();

    const std::size_t most_;
    std::unordered_map<const char*, Known> known_;  ///< by the statement's text
    std::vector<std::string> outdated_;
    std::uint64_t uses_ = 0;
};

}  // namespace postgres
