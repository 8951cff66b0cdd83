#include "services/worker/provider.hpp"

#include "libcore/domain/text.hpp"
#include "libcore/json/parser.hpp"
#include "libcore/json/writer.hpp"

namespace worker {

namespace {

constexpr std::size_t body_kept = 4096;

// A 2xx is a success whatever the body, unless it is JSON that says otherwise.
bool says_failure(const std::string& body) {
    const auto document = json::parse(body);
    if (!document) return false;
    const json::Value* success = document->find("success");
    return success && success->boolean() && !*success->boolean();
}

bool is_success(const http::Response& response) {
    return response.status >= 200 && response.status < 300;
}

std::string error_of(const http::Response& response, bool says_failure) {
    if (is_success(response) && !says_failure) return "";
    const auto text = "the provider answered " + std::to_string(response.status);
    return says_failure ? text + " with \"success\": false" : text;
}

}  // namespace

http::Request make_request(const Letter& letter, const ProviderSettings& provider) {
    json::Writer body;
    body.begin_object().member("email", letter.email).member("message", letter.content).end_object();
    return {.target = provider.url.path + "/send-email",
            .body = body.take(),
            .idempotency_key = letter.idempotency_key,
            .authorization = provider.token.empty() ? "" : "Bearer " + provider.token};
}

domain::Answer interpret(const http::Answer& answer) {
    if (const auto* failure = std::get_if<http::Failure>(&answer)) {
        using Kind = domain::Answer::Kind;
        const bool tried = failure->kind != http::Failure::Kind::no_resources;
        return {
            .kind = failure->written ? Kind::no_answer
                    : tried          ? Kind::not_sent
                                     : Kind::not_tried,
            .error = std::string(to_string(failure->kind)) + ": " + domain::clean_text(failure->text, 500)};
    }
    const auto& response = std::get<http::Response>(answer);
    const bool failure = is_success(response) && says_failure(response.body);
    return {.kind = domain::Answer::Kind::responded,
            .http_status = response.status,
            .says_failure = failure,
            .retry_after = response.retry_after,
            .body = domain::clean_text(response.body, body_kept),
            .error = error_of(response, failure)};
}

}  // namespace worker
