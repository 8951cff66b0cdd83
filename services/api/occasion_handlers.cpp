#include "libcore/json/occasion.hpp"
#include "libcore/postgres/occasions_table.hpp"
#include "services/api/handlers.hpp"

namespace api {

Answer list_occasions(const Call& call) {
    const auto occasions = postgres::occasions_of_user(call.pool, call.id);
    if (!occasions) return no_such_user();
    json::Writer writer;
    writer.begin_object().key("items").begin_array();
    for (const auto& occasion : *occasions) json::write(writer, occasion);
    writer.end_array().end_object();
    return runtime::Reply{.body = writer.take(), .headers = {}};
}

Answer add_occasion(const Call& call) {
    const auto body = read_body(call.request);
    if (const auto* problem = std::get_if<json::Problem>(&body)) return *problem;
    const auto input = json::decode_occasion(std::get<json::Value>(body));
    const auto make = [&](const domain::OccasionFacts& facts) {
        return domain::validated(input.occasion, facts, input.errors);
    };
    const auto occasion = postgres::insert_occasion(call.pool, call.id, input.occasion, make);
    if (!occasion) return no_such_user();
    if (!*occasion) {
        const auto& error = occasion->errors().front();
        if (error.code == "too_many") return json::Problem{409, error.code, error.text};
        return problem_of(occasion->errors());
    }
    json::Writer writer;
    json::write(writer, **occasion);
    return runtime::Reply{.status = 201, .body = writer.take(), .headers = {}};
}

Answer remove_occasion(const Call& call) {
    switch (postgres::delete_occasion(call.pool, call.id, call.name, call.date)) {
        case postgres::Removed::no_user:
            return no_such_user();
        case postgres::Removed::no_occasion:
            return json::Problem{404, "not_found", "The user has no such occasion."};
        case postgres::Removed::occasion:
            break;
    }
    return runtime::Reply{.status = 204, .body = {}, .headers = {}};
}

}  // namespace api
