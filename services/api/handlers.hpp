// What the routes do. Each handler runs on one of the server's threads, blocking, and throws only when the
// environment is broken.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string_view>
#include <variant>

#include "libcore/domain/time.hpp"
#include "libcore/domain/uuid.hpp"
#include "libcore/json/problem.hpp"
#include "libcore/json/value.hpp"
#include "libcore/postgres/pool.hpp"
#include "libcore/runtime/http_server.hpp"
#include "services/api/reference.hpp"
#include "services/api/url.hpp"

namespace api {

struct Call {
    const runtime::Request& request;
    postgres::Pool& pool;
    const Snapshot& reference;
    const Query& query;
    domain::Uuid id;                     ///< of the path, where the route has one
    std::string_view actor;              ///< whose key it is, for the audit log
    std::string_view name;               ///< of the path, where the route has one
    domain::Date date;                   ///< of the path, where the route has one
    std::chrono::milliseconds key_life;  ///< for how long the provider knows an idempotency key
};

using Answer = std::variant<runtime::Reply, json::Problem>;
using Handler = Answer (*)(const Call& call);

inline constexpr std::size_t max_body_bytes = 64 * 1024;

Answer create_user(const Call& call);
Answer get_user(const Call& call);
Answer replace_user(const Call& call);
Answer change_user(const Call& call);
Answer delete_user(const Call& call);
Answer list_user_messages(const Call& call);
extern const std::array<Parameter, 3> message_list_parameters;
Answer list_messages(const Call& call);
extern const std::array<Parameter, 8> messages_parameters;
Answer get_user_schedule(const Call& call);
extern const std::array<Parameter, 3> user_schedule_parameters;
Answer preview_schedule(const Call& call);
extern const std::array<Parameter, 5> preview_parameters;
Answer get_message(const Call& call);
Answer replay_message(const Call& call);
Answer cancel_message(const Call& call);
Answer replay_messages(const Call& call);
Answer cancel_messages(const Call& call);
Answer explain_day(const Call& call);
extern const std::array<Parameter, 2> explain_day_parameters;
Answer list_occasions(const Call& call);
Answer add_occasion(const Call& call);
Answer remove_occasion(const Call& call);
Answer list_message_types(const Call& call);
extern const std::array<Parameter, 1> type_list_parameters;
Answer add_message_type(const Call& call);
Answer get_message_type(const Call& call);
Answer change_message_type(const Call& call);
Answer remove_message_type(const Call& call);
Answer get_pause(const Call& call);
Answer pause_deliveries(const Call& call);
Answer resume_deliveries(const Call& call);
Answer send_test(const Call& call);
Answer get_test_send(const Call& call);

/// The JSON of a request, or why it has none.
std::variant<json::Value, json::Problem> read_body(const runtime::Request& request);

/// 409 for what is already taken, else 400; names every wrong field.
json::Problem problem_of(domain::Errors errors);
json::Problem no_such_user();
json::Problem no_such_message_type();

}  // namespace api
