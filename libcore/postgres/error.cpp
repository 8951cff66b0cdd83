#include "libcore/postgres/error.hpp"

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

bool DatabaseError::is_lock_timeout() const {
    return sqlstate_ == "55P03";
}

bool DatabaseError::is_data_error() const {
    return sqlstate_.starts_with("22") || sqlstate_.starts_with("23");
}

bool DatabaseError::may_rerun_transaction() const {
    return sqlstate_ == "40001" || sqlstate_ == "40P01" || sqlstate_ == "26000" || sqlstate_ == "42P05";
}

}  // namespace postgres
