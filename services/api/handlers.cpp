#include "services/api/handlers.hpp"

#include <algorithm>

namespace api {

json::Problem problem_of(domain::Errors errors) {
    const bool duplicate = std::any_of(errors.begin(), errors.end(),
                                       [](const domain::Error& error) { return error.code == "duplicate"; });
    if (duplicate) return {409, "duplicate", "Another user already has this.", std::move(errors)};
    return {400, "validation_failed", "Some fields are wrong; nothing was changed.", std::move(errors)};
}

json::Problem no_such_user() {
    return {404, "not_found", "There is no such user."};
}

}  // namespace api
