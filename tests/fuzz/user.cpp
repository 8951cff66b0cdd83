// What a client may send as a user, whole or as a change of one: what the rules accept can be shown to the
// client, sent back, and accepted again as the same user.

#include <algorithm>

#include "libcore/json/parser.hpp"
#include "libcore/json/user.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using domain::UserFields;

constexpr domain::Date today{std::chrono::year(2027), std::chrono::March, std::chrono::day(1)};

std::optional<std::string> zone(std::string_view name) {
    return name.starts_with("Europe/") ? std::optional(std::string(name)) : std::nullopt;
}

/// The members that the server adds are not fields of a user.
json::Value without_stamps(const json::Value& shown) {
    auto members = *shown.object();
    std::erase_if(
        members, [](const json::Member& member) { return member.key == "id" || member.key.ends_with("At"); });
    return json::Value(std::move(members));
}

void check(const json::Value& body, const UserFields& base) {
    auto input = json::decode_user(body, base);
    const auto found = input.errors.size();
    const auto fields = domain::validated(std::move(input.fields), zone, today, std::move(input.errors));
    if (!fields) {
        MUST_HOLD(!fields.errors().empty() && fields.errors().size() >= found);
        return;
    }
    MUST_HOLD(found == 0);
    const auto shown = json::parse(json::encode(domain::User{.id = {}, .fields = *fields, .deleted_at = {}}));
    MUST_HOLD(shown);
    auto again = json::decode_user(without_stamps(*shown));
    MUST_HOLD(again.errors.empty());
    MUST_HOLD(again.fields == *fields);
    const auto accepted = domain::validated(std::move(again.fields), zone, today);
    MUST_HOLD(accepted);
    MUST_HOLD(*accepted == *fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto body = json::parse(fuzz::text_of(data, size));
    if (!body) return 0;
    static const UserFields base{.first_name = "Ada",
                                 .last_name = "Byron",
                                 .email = "ada@example.org",
                                 .timezone = "Europe/London",
                                 .birthday_date = today,
                                 .anniversary_date = {},
                                 .location_city = "Paris",
                                 .location_country = {},
                                 .external_id = {}};
    check(*body, {});
    check(*body, base);
    return 0;
}
