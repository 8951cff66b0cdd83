#include "libcore/service/pool_command.hpp"

#include "libcore/domain/time.hpp"
#include "libcore/json/parser.hpp"

namespace service {

using namespace std::chrono_literals;

namespace {

using Kind = PoolCommand::Kind;

constexpr auto shortest_pause = 1s;
// Nobody remembers a pause of this morning.
constexpr auto longest_pause = 1h;
// As DB_POOL_MAX.
constexpr int largest_pool = 500;

bool is_field(Kind kind, std::string_view name) {
    if (name == "pool") return true;
    if (kind == Kind::pause) return name == "for";
    return kind == Kind::resize && (name == "max" || name == "min");
}

std::optional<std::chrono::milliseconds> length_of(const json::Value* value) {
    const std::string* text = value == nullptr ? nullptr : value->string();
    const auto length = text == nullptr ? std::nullopt : domain::parse_duration(*text);
    if (length && *length >= shortest_pause && *length <= longest_pause) return length;
    return std::nullopt;
}

void decode_size(const json::Value& body, PoolCommand& command, domain::Errors& errors) {
    const auto read = [&](const char* name, int least, std::optional<int>& into) {
        const auto* value = body.find(name);
        if (value == nullptr) return;
        const auto number = value->integer();
        if (number && *number >= least && *number <= largest_pool)
            into = static_cast<int>(*number);
        else
            errors.push_back({"invalid", name, "must be a number from " + std::to_string(least) + " to 500"});
    };
    read("max", 1, command.max);
    read("min", 0, command.min);
    if (errors.empty() && !command.max && !command.min)
        errors.push_back({"required", "max", "or min must be given"});
    if (command.max && command.min && *command.min > *command.max)
        errors.push_back({"invalid", "min", "is above max"});
}

}  // namespace

domain::Result<PoolCommand> decode_pool_command(Kind kind, std::string_view text) {
    const auto body = json::parse(text.empty() ? "{}" : text);
    if (!body) return body.errors();
    if (body->object() == nullptr) return domain::Error{"wrong_type", "", "must be a JSON object"};
    domain::Errors errors;
    for (const auto& [key, value] : *body->object())
        if (!is_field(kind, key)) errors.push_back({"unknown_field", key, "is not a field of this request"});
    PoolCommand command;
    if (const auto* pool = body->find("pool")) {
        if (pool->string() != nullptr)
            command.pool = *pool->string();
        else
            errors.push_back({"wrong_type", "pool", "must be the name of a pool"});
    }
    if (kind == Kind::pause) {
        const auto length = length_of(body->find("for"));
        if (length) command.length = *length;
        if (!length) errors.push_back({"invalid", "for", "must be a duration from 1s to 1h, such as 30s"});
    }
    if (kind == Kind::resize) decode_size(*body, command, errors);
    if (!errors.empty()) return errors;
    return command;
}

}  // namespace service
