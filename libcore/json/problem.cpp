#include "libcore/json/problem.hpp"

#include "libcore/json/writer.hpp"

namespace json {

namespace {

const char* title(int status) {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 429:
            return "Too Many Requests";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

}  // namespace

std::string encode(const Problem& problem, const std::string& request_id) {
    Writer writer;
    // RFC 9457: about:blank says that the title is the status's own.
    writer.begin_object()
        .member("type", "about:blank")
        .member("title", title(problem.status))
        .member("status", problem.status)
        .member("detail", problem.detail)
        .member("code", problem.code);
    writer.key("errors").begin_array();
    for (const auto& error : problem.errors) {
        writer.begin_object()
            .member("field", error.field)
            .member("code", error.code)
            .member("detail", error.text)
            .end_object();
    }
    writer.end_array().member("requestId", request_id).end_object();
    return writer.take();
}

}  // namespace json
