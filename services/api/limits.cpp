#include "services/api/limits.hpp"

#include <algorithm>
#include <charconv>

#include "libcore/domain/text.hpp"

namespace api {

namespace {

constexpr int highest_limit = 100'000'000;

domain::Error wrong_limits() {
    return {"invalid", "limits", "must be 'none' or such as 'create=600,update=600,read=10000,delete=600'"};
}

int parse_requests(std::string_view text) {
    int requests = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), requests);
    return error == std::errc() && end == text.data() + text.size() && requests <= highest_limit ? requests
                                                                                                 : 0;
}

}  // namespace

RequestClass class_of(std::string_view method) {
    if (method == "POST") return RequestClass::create;
    if (method == "PUT" || method == "PATCH") return RequestClass::update;
    return method == "DELETE" ? RequestClass::remove : RequestClass::read;
}

domain::Result<KeyLimits> parse_limits(std::string_view text) {
    if (text == "none") return KeyLimits{.unlimited = true};
    KeyLimits limits;
    for (const auto part : domain::split(text, ',')) {
        const auto equals = part.find('=');
        const auto name = std::find(class_names.begin(), class_names.end(), part.substr(0, equals));
        if (name == class_names.end() || equals == std::string_view::npos) return wrong_limits();
        auto& requests = limits.requests[static_cast<std::size_t>(name - class_names.begin())];
        const bool given_twice = requests != 0;
        requests = parse_requests(part.substr(equals + 1));
        if (given_twice || requests < 1) return wrong_limits();
    }
    return limits;
}

}  // namespace api
