#include "libcore/postgres/error.hpp"

#include <array>
#include <utility>

namespace postgres {

DatabaseError::DatabaseError(Cause cause, const std::string& text, std::string sqlstate,
                             std::string constraint)
    : std::runtime_error(text),
      sqlstate_(std::move(sqlstate)),
      constraint_(std::move(constraint)),
      cause_(cause) {}

bool DatabaseError::timed_out() const {
    return cause_ == Cause::deadline || cause_ == Cause::exhausted || sqlstate_ == "57014";
}

std::string_view DatabaseError::type() const {
    struct Named {
        std::string_view sqlstate, type;  ///< a code, or the beginning of one
    };
    static constexpr std::array named{
        Named{"57014", "statement_timeout"},
        Named{"55P03", "lock_timeout"},
        Named{"40001", "serialization"},
        Named{"40P01", "deadlock"},
        Named{"53300", "too_many"},
        Named{"25006", "read_only"},
        Named{"57P", "shutdown"},
        Named{"53", "resources"},
        Named{"28", "login"},
        Named{"23", "constraint"},
        Named{"22", "data"},
        Named{"08", "connection"},
    };
    for (const auto& [sqlstate, type] : named)
        if (sqlstate_.starts_with(sqlstate)) return type;
    switch (cause_) {
        case Cause::deadline:
            return "deadline";
        case Cause::connection:
            return "connection";
        case Cause::exhausted:
            return "exhausted";
        case Cause::server:
            break;
    }
    return "statement";
}

bool DatabaseError::is_unique_violation() const {
    return sqlstate_ == "23505";
}

bool DatabaseError::is_unique_violation(std::string_view constraint) const {
    return is_unique_violation() && constraint_ == constraint;
}

bool DatabaseError::is_foreign_key_violation() const {
    return sqlstate_ == "23503";
}

bool DatabaseError::is_check_violation(std::string_view constraint) const {
    return sqlstate_ == "23514" && constraint_ == constraint;
}

bool DatabaseError::is_refused_login() const {
    return sqlstate_.starts_with("28") || sqlstate_ == "3D000";
}

bool DatabaseError::is_full() const {
    const std::string_view text = what();
    return sqlstate_ == "53300" ||
           // PgBouncer's, which has no other code for it.
           (sqlstate_ == "08P01" && (text.find("no more connections allowed") != text.npos ||
                                     text.find("client connections exceeded") != text.npos));
}

bool DatabaseError::is_lock_timeout() const {
    return sqlstate_ == "55P03";
}

bool DatabaseError::sat_idle() const {
    return sqlstate_ == "25P03";
}

bool DatabaseError::is_read_only() const {
    return sqlstate_ == "25006";
}

bool DatabaseError::is_data_error() const {
    return sqlstate_.starts_with("22") || sqlstate_.starts_with("23");
}

bool DatabaseError::may_rerun_transaction() const {
    return sqlstate_ == "40001" || sqlstate_ == "40P01" || sqlstate_ == "26000" || sqlstate_ == "42P05";
}

}  // namespace postgres
