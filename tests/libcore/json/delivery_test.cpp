#include "libcore/json/delivery.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "libcore/json/parser.hpp"
#include "libcore/json/writer.hpp"

namespace {

const domain::Delivery delivery{*domain::parse_uuid("0190a0b0-c0d0-7e00-8f00-000000000001"),
                                *domain::parse_date("2027-02-28"), 3, "4bf92f3577b34da6"};

json::Value schema() {
    const auto path = std::filesystem::path(TIDINGS_SOURCE) / "proto/delivery.schema.json";
    std::ifstream file(path);
    REQUIRE(file);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return json::parse(text).value();
}

std::string with(std::string_view name, std::string_view replacement) {
    const auto document = json::parse(json::encode(delivery)).value();
    std::string text;
    for (const auto& member : *document.object()) {
        const std::string original = member.value.string() != nullptr
                                         ? "\"" + *member.value.string() + "\""
                                         : std::to_string(*member.value.integer());
        const std::string value = member.key == name ? std::string(replacement) : original;
        if (!value.empty()) text += (text.empty() ? "{\"" : ",\"") + member.key + "\":" + value;
    }
    return text + "}";
}

bool names_field(const domain::Result<domain::Delivery>& result, std::string_view field) {
    return !result && result.errors().size() == 1 && result.errors().front().field == field;
}

}  // namespace

TEST_CASE("a delivery survives the queue") {
    const auto decoded = json::decode_delivery(json::encode(delivery));
    REQUIRE(decoded);
    CHECK(*decoded == delivery);
}

TEST_CASE("the code writes exactly the members the schema requires and no other is allowed") {
    const auto description = schema();
    std::set<std::string> properties;
    std::set<std::string> required;
    std::set<std::string> written;
    for (const auto& member : *description.find("properties")->object()) properties.insert(member.key);
    for (const auto& name : *description.find("required")->array()) required.insert(*name.string());
    const auto hint = json::parse(json::encode(delivery)).value();
    for (const auto& member : *hint.object()) written.insert(member.key);
    CHECK(properties == required);
    CHECK(written == required);
    CHECK_FALSE(*description.find("additionalProperties")->boolean());
    CHECK_FALSE(json::decode_delivery(with("trace", "\"\",\"extra\":1")));
}

TEST_CASE("the code refuses what the schema refuses in each member") {
    const auto description = schema();
    for (const auto& [name, rules] : *description.find("properties")->object()) {
        CAPTURE(name);
        const bool is_text = *rules.find("type")->string() == "string";
        CHECK(names_field(json::decode_delivery(with(name, "")), name));
        CHECK(names_field(json::decode_delivery(with(name, "null")), name));
        CHECK(names_field(json::decode_delivery(with(name, is_text ? "7" : "\"7\"")), name));
        if (const auto* least = rules.find("minimum")) {
            CHECK(json::decode_delivery(with(name, std::to_string(*least->integer()))));
            CHECK(
                names_field(json::decode_delivery(with(name, std::to_string(*least->integer() - 1))), name));
        }
        if (const auto* most = rules.find("maximum")) {
            CHECK(json::decode_delivery(with(name, std::to_string(*most->integer()))));
            CHECK(names_field(json::decode_delivery(with(name, std::to_string(*most->integer() + 1))), name));
        }
        if (const auto* constant = rules.find("const")) {
            CHECK(names_field(json::decode_delivery(with(name, std::to_string(*constant->integer() + 1))),
                              name));
        }
        if (const auto* longest = rules.find("maxLength")) {
            const auto text = [](std::int64_t size) {
                return "\"" + std::string(static_cast<std::size_t>(size), 'x') + "\"";
            };
            CHECK(json::decode_delivery(with(name, text(*longest->integer()))));
            CHECK(names_field(json::decode_delivery(with(name, text(*longest->integer() + 1))), name));
        }
        if (rules.find("pattern") != nullptr)
            CHECK(names_field(json::decode_delivery(with(name, "\"é\"")), name));
    }
}

TEST_CASE("what is not a delivery at all is refused") {
    const auto text = GENERATE("", "hello", "[]", "null", "{}", "{\"v\":1,\"v\":1}", "[[[[[[");
    CHECK_FALSE(json::decode_delivery(text));
    CHECK_FALSE(json::decode_delivery(with("trace", "\"" + std::string(2000, 'x') + "\"")));
}
