#include "libcore/postgres/prepared_statements.hpp"

#include <algorithm>

namespace postgres {

namespace {

/// With a digest of its text (FNV-1a): behind a pooler two releases of a program may meet in one session of
/// the server, and neither must run what the other has prepared. The server knows names by 63 characters.
std::string name_of(const Statement& statement) {
    std::uint64_t digest = 14'695'981'039'346'656'037U;
    for (const char character : std::string_view(statement.sql))
        digest = (digest ^ static_cast<unsigned char>(character)) * 1'099'511'628'211U;
    constexpr std::size_t longest = 46;
    std::string name = std::string(statement.name).substr(0, longest) + '_';
    for (int shift = 60; shift >= 0; shift -= 4) name += "0123456789abcdef"[digest >> shift & 15U];
    return name;
}

}  // namespace

PreparedStatements::Known& PreparedStatements::use(const Statement& statement) {
    auto found = known_.find(statement.sql);
    if (found == known_.end()) {
        if (known_.size() >= most_) make_room();
        found = known_.emplace(statement.sql, Known{.name = name_of(statement)}).first;
    }
    found->second.used = ++uses_;
    return found->second;
}

void PreparedStatements::make_room() {
    const auto oldest =
        std::ranges::min_element(known_, {}, [](const auto& known) { return known.second.used; });
    if (oldest->second.ready) outdated_.push_back(std::move(oldest->second.name));
    known_.erase(oldest);
}

bool PreparedStatements::mend(const Statement& statement, std::string_view sqlstate) {
    Known& known = use(statement);
    if (sqlstate == "26000") {  // it is gone, and so is all else
        for (auto& [sql, each] : known_) each.ready = each.proven = false;
        outdated_.clear();
    } else if (sqlstate == "42P05") {  // it is there, under a name that is no other statement's
        known.ready = true;
    } else if (sqlstate == "0A000" && known.proven) {  // the tables have changed
        known.ready = known.proven = false;
        outdated_.push_back(known.name);
    } else {
        return false;
    }
    return true;
}

void PreparedStatements::clear() {
    known_.clear();
    outdated_.clear();
}

}  // namespace postgres
