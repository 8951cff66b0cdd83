#include "services/api/handlers.hpp"

#include <algorithm>

#include "libcore/json/parser.hpp"

namespace api {

namespace {

bool is_json(std::string_view content_type) {
    const auto type = content_type.substr(0, content_type.find_first_of("; "));
    return type == "application/json" || type == "application/merge-patch+json";
}

}  // namespace

json::Problem problem_of(domain::Errors errors) {
    const bool duplicate = std::any_of(errors.begin(), errors.end(),
                                       [](const domain::Error& error) { return error.code == "duplicate"; });
    if (duplicate) return {409, "duplicate", "Another user already has this.", std::move(errors)};
    return {400, "validation_failed", "Some fields are wrong; nothing was changed.", std::move(errors)};
}

json::Problem no_such_user() {
    return {404, "not_found", "There is no such user."};
}

std::variant<json::Value, json::Problem> read_body(const runtime::Request& request) {
    if (!is_json(request.header("content-type"))) {
        return json::Problem{415, "unsupported_media_type", "The body must be sent as application/json."};
    }
    if (request.body.size() > max_body_bytes) {
        return json::Problem{413, "content_too_large", "The body must not be larger than 64 KiB."};
    }
    auto document = json::parse(request.body, {.bytes = max_body_bytes});
    if (document) return std::move(*document);
    const auto& error = document.errors().front();
    if (!error.field.empty()) return problem_of(document.errors());
    return json::Problem{400, error.code, "The body cannot be read as JSON: " + error.text};
}

}  // namespace api
