#include "libcore/json/user.hpp"
#include "libcore/postgres/users_table.hpp"
#include "services/api/handlers.hpp"
#include "services/api/random.hpp"

namespace api {

namespace {

domain::Result<domain::UserFields> validated(json::UserInput input, const Snapshot& reference) {
    const auto canonical_zone = [&](std::string_view name) { return reference.zones->canonical(name); };
    return domain::validated(std::move(input.fields), canonical_zone, reference.latest_today,
                             std::move(input.errors));
}

runtime::Reply reply(int status, const domain::User& user) {
    return {.status = status, .body = json::encode(user), .headers = {}};
}

/// `base` chooses what the members of the body are laid over.
template <class Base>
Answer write_user(const Call& call, Base base) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto change = [&](const domain::UserFields& present) {
        return validated(json::decode_user(std::get<json::Value>(body), base(present)), call.reference);
    };
    const auto user = postgres::change_user(call.pool, call.id, change);
    if (!user) return no_such_user();
    if (!*user) return problem_of(user->errors());
    return reply(200, **user);
}

}  // namespace

Answer create_user(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto fields = validated(json::decode_user(std::get<json::Value>(body)), call.reference);
    if (!fields) return problem_of(fields.errors());
    const auto user = postgres::insert_user(call.pool, new_uuid(), *fields);
    if (!user) return problem_of(user.errors());
    auto created = reply(201, *user);
    created.headers.emplace_back("Location", "/api/v1/users/" + domain::to_string(user->id));
    return created;
}

Answer get_user(const Call& call) {
    const auto user = postgres::find_user(call.pool, call.id);
    if (!user) return no_such_user();
    return reply(200, *user);
}

Answer replace_user(const Call& call) {
    return write_user(call, [](const domain::UserFields&) { return domain::UserFields(); });
}

Answer change_user(const Call& call) {
    return write_user(call, [](const domain::UserFields& present) { return present; });
}

Answer delete_user(const Call& call) {
    if (!postgres::delete_user(call.pool, call.id)) return no_such_user();
    return runtime::Reply{.status = 204, .body = {}, .headers = {}};
}

}  // namespace api
