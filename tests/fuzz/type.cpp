// What a client may send as a message type or an occasion, whole or as a change of a type: what the rules
// accept can be shown to the client, sent back, and accepted again as the same.

#include <algorithm>

#include "libcore/domain/template.hpp"
#include "libcore/json/message_type.hpp"
#include "libcore/json/occasion.hpp"
#include "libcore/json/parser.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using domain::MessageTypeFields;

constexpr domain::Instant now = std::chrono::sys_days(std::chrono::year(2027) / 3 / 1);
constexpr domain::OccasionFacts no_other{.type_exists = true};

json::Value without(const json::Value& shown, std::initializer_list<std::string_view> names) {
    auto members = *shown.object();
    std::erase_if(members, [&](const json::Member& member) {
        return std::find(names.begin(), names.end(), member.key) != names.end();
    });
    return json::Value(std::move(members));
}

void check_type(const json::MessageTypeInput& input) {
    const auto fields = domain::validated(input.fields, now, {}, input.errors);
    if (!fields) {
        MUST_HOLD(fields.errors().size() >= std::max<std::size_t>(input.errors.size(), 1));
        return;
    }
    MUST_HOLD(input.errors.empty());
    MUST_HOLD(domain::longest_rendering(fields->text) <= domain::longest_message);
    const auto shown = json::parse(json::encode(domain::MessageType{.name = "A", .fields = *fields}));
    MUST_HOLD(shown);
    const auto whole = json::decode_new_type(without(*shown, {"replanned", "createdAt", "updatedAt"}));
    MUST_HOLD(whole.errors.empty() && whole.fields == *fields);
    const auto change = json::decode_type_change(
        without(*shown, {"name", "replanned", "createdAt", "updatedAt"}), MessageTypeFields{.text = "x"});
    MUST_HOLD(change.errors.empty() && change.fields == *fields);
    const auto accepted = domain::validated(whole.fields, now);
    MUST_HOLD(accepted);
    MUST_HOLD(*accepted == *fields);
}

void check_occasion(const json::Value& body) {
    const auto input = json::decode_occasion(body);
    const auto occasion = domain::validated(input.occasion, no_other, input.errors);
    if (!occasion) return;
    json::Writer writer;
    json::write(writer, *occasion);
    const auto again = json::decode_occasion(json::parse(writer.take()).value());
    MUST_HOLD(again.errors.empty());
    const auto accepted = domain::validated(again.occasion, no_other);
    MUST_HOLD(accepted);
    MUST_HOLD(*accepted == *occasion);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto body = json::parse(fuzz::text_of(data, size));
    if (!body) return 0;
    static const MessageTypeFields base{.text = "Hi {first_name}", .late_text = "late", .spread = {}};
    check_type(json::decode_new_type(*body));
    check_type(json::decode_type_change(*body, base));
    check_occasion(*body);
    return 0;
}
