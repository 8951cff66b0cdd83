#include "services/api/handlers.hpp"

#include <algorithm>

#include "libcore/domain/text.hpp"
#include "libcore/json/parser.hpp"

namespace api {

namespace {

/// JSON in UTF-8, as it is: neither in another charset nor compressed.
bool is_json(const runtime::Request& request) {
    const auto types = request.all_headers("content-type");
    if (types.size() != 1 || !request.header("content-encoding").empty()) return false;
    auto type = domain::lower_case(types.front());
    std::erase_if(type, [](char c) { return c == ' ' || c == '\t'; });
    return type == "application/json" || type == "application/json;charset=utf-8" ||
           type == "application/json;charset=\"utf-8\"";
}

}  // namespace

json::Problem problem_of(domain::Errors errors) {
    const bool duplicate = std::any_of(errors.begin(), errors.end(),
                                       [](const domain::Error& error) { return error.code == "duplicate"; });
    if (duplicate)
        return {409, "duplicate", "This is there already; nothing was changed.", std::move(errors)};
    return {400, "validation_failed", "Some fields are wrong; nothing was changed.", std::move(errors)};
}

json::Problem no_such_user() {
    return {404, "not_found", "There is no such user."};
}

json::Problem no_such_message_type() {
    return {404, "not_found", "There is no such message type."};
}

std::variant<json::Value, json::Problem> read_body(const runtime::Request& request) {
    if (!is_json(request)) {
        return json::Problem{415, "unsupported_media_type",
                             "The body must be sent as application/json, in UTF-8 and not compressed."};
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
