// The body of every error answer: RFC 9457, application/problem+json.
#pragma once

#include <string>

#include "libcore/domain/result.hpp"

namespace json {

struct Problem {
    int status = 500;
    std::string code;    ///< stable, for programs: "validation_failed"
    std::string detail;  ///< for a person
    domain::Errors errors = {};
};

std::string encode(const Problem& problem, const std::string& request_id);

}  // namespace json
