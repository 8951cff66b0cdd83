#include "libcore/json/pause.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include "libcore/json/writer.hpp"

namespace json {

namespace {

/// The members that are texts, by name; a null is as good as absent.
class Texts {
public:
    Texts(const Value& body, std::initializer_list<std::string_view> known) : body_(body) {
        if (body.object() == nullptr) {
            errors.push_back({"wrong_type", "", "must be a JSON object"});
            return;
        }
        for (const auto& [key, value] : *body.object()) {
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                errors.push_back({"unknown_field", key, "is not a field of this request"});
            } else if (!value.is_null() && value.string() == nullptr) {
                errors.push_back({"wrong_type", key, "must be a string"});
            }
        }
    }

    const std::string* find(std::string_view name) const {
        const auto* value = body_.find(name);
        return value == nullptr ? nullptr : value->string();
    }

    /// What `read` makes of the text; its errors are kept unless the field already has one.
    template <class T>
    std::optional<T> take(std::string_view text, domain::Result<T> (*read)(std::string_view)) {
        const auto result = read(text);
        if (result) return *result;
        domain::add_once(errors, result.errors().front());
        return std::nullopt;
    }

    domain::Errors errors;

private:
    const Value& body_;
};

}  // namespace

domain::Result<PauseInput> decode_pause(const Value& body) {
    Texts texts(body, {"reason", "until"});
    const auto* reason_text = texts.find("reason");
    const auto reason = texts.take(reason_text == nullptr ? "" : *reason_text, domain::pause_reason);
    std::optional<domain::Instant> until;
    if (const auto* text = texts.find("until")) until = texts.take(*text, domain::pause_end);
    if (!texts.errors.empty()) return std::move(texts.errors);
    return PauseInput{*reason, until};
}

domain::Result<std::optional<std::string>> decode_resume(const Value& body) {
    Texts texts(body, {"reason"});
    std::optional<std::string> reason;
    if (const auto* text = texts.find("reason")) reason = texts.take(*text, domain::pause_reason);
    if (!texts.errors.empty()) return std::move(texts.errors);
    return reason;
}

std::string encode(const std::optional<domain::Pause>& pause, const std::optional<Waiting>& waiting) {
    Writer writer;
    writer.begin_object().member("paused", pause.has_value());
    if (pause) {
        writer.member("reason", pause->reason)
            .member("by", pause->by)
            .member("since", pause->since)
            .member("until", pause->until);
    }
    if (waiting)
        writer.member("messagesDue", waiting->due).member("oldestDueSeconds", waiting->oldest_due.count());
    writer.end_object();
    return writer.take();
}

}  // namespace json
