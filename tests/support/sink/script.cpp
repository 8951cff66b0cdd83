#include "tests/support/sink/script.hpp"

#include <charconv>

#include "libcore/json/parser.hpp"

namespace sink {
namespace {

bool take(const json::Value& value, std::string& field) {
    if (value.string()) field = *value.string();
    return value.string() != nullptr;
}

bool take(const json::Value& value, bool& field) {
    if (value.boolean()) field = *value.boolean();
    return value.boolean() != nullptr;
}

bool take(const json::Value& value, std::uint64_t& field) {
    const auto number = value.integer().value_or(-1);
    field = static_cast<std::uint64_t>(number);
    return number >= 0;
}

/// Two digits a byte.
bool take_hex(const json::Value& value, std::string& bytes) {
    const auto* digits = value.string();
    if (!digits || digits->size() % 2 != 0) return false;
    for (std::size_t at = 0; at < digits->size(); at += 2) {
        int byte = 0;
        const auto [end, error] = std::from_chars(digits->data() + at, digits->data() + at + 2, byte, 16);
        if (error != std::errc{} || end != digits->data() + at + 2) return false;
        bytes += static_cast<char>(byte);
    }
    return true;
}

bool take(const json::Value& value, std::chrono::milliseconds& field) {
    field = std::chrono::milliseconds(value.integer().value_or(-1));
    return field >= field.zero();
}

bool take(const json::Value& value, std::vector<std::pair<std::string, std::string>>& headers) {
    if (!value.object()) return false;
    for (const auto& [name, content] : *value.object()) {
        if (!take(content, headers.emplace_back(name, "").second)) return false;
    }
    return true;
}

/// False when there is no such field, or the value is not for it.
bool set(Rule& rule, std::string_view field, const json::Value& value) {
    if (field == "key") return take(value, rule.key);
    if (field == "email") return take(value, rule.email);
    if (field == "times") return take(value, rule.times.emplace());
    if (field == "rate") return (rule.rate = value.real().value_or(-1)) >= 0;
    if (field == "status") return (rule.status = static_cast<int>(value.integer().value_or(0))) >= 200;
    if (field == "body") return take(value, rule.body);
    if (field == "body_hex") return take_hex(value, rule.body);
    if (field == "repeat") return take(value, rule.repeat);
    if (field == "headers") return take(value, rule.headers);
    if (field == "success_false") return take(value, rule.success_false);
    if (field == "delay_ms") return take(value, rule.delay);
    if (field == "drip_ms") return take(value, rule.drip);
    if (field == "drop") return take(value, rule.drop);
    if (field == "close_after_accept") return take(value, rule.close_after_accept);
    return false;
}

bool take(const json::Value& value, std::vector<Rule>& rules, domain::Errors& errors) {
    if (!value.array()) return false;
    for (const auto& element : *value.array()) {
        if (!element.object()) return false;
        auto& rule = rules.emplace_back();
        for (const auto& [field, content] : *element.object()) {
            if (!set(rule, field, content))
                errors.push_back({"wrong_field", "rules." + field, "unknown, or a wrong value"});
        }
    }
    return true;
}

}  // namespace

domain::Result<Script> Script::parse(std::string_view json) {
    const auto document = json::parse(json);
    if (!document) return document.errors();
    if (!document->object()) return domain::Error{"wrong_type", "", "an object is expected"};

    Script script;
    script.json_ = json;
    domain::Errors errors;
    std::uint64_t seed = 1;
    for (const auto& [field, value] : *document->object()) {
        const bool understood = field == "seed"        ? take(value, seed)
                                : field == "outage_ms" ? take(value, script.outage_)
                                : field == "rules"     ? take(value, script.rules_, errors)
                                                       : false;
        if (!understood) errors.push_back({"wrong_field", field, "unknown, or a wrong value"});
    }
    if (!errors.empty()) return errors;
    script.die_.seed(seed);
    return script;
}

std::optional<Rule> Script::for_request(std::string_view key, std::string_view email) {
    for (auto& rule : rules_) {
        if (rule.close_after_accept) continue;
        if (key.find(rule.key) == key.npos || email.find(rule.email) == email.npos) continue;
        if (applies(rule)) return rule;
    }
    return std::nullopt;
}

bool Script::closes_connection() {
    for (auto& rule : rules_) {
        if (rule.close_after_accept && applies(rule)) return true;
    }
    return false;
}

bool Script::applies(Rule& rule) {
    if (rule.times == 0U) return false;
    if (rule.rate < 1 && std::uniform_real_distribution()(die_) >= rule.rate) return false;
    if (rule.times) --*rule.times;
    return true;
}

}  // namespace sink
