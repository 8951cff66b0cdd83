#include "libcore/domain/message_type.hpp"

#include <catch2/catch.hpp>

#include "libcore/domain/template.hpp"

using namespace domain;
using namespace std::chrono_literals;

namespace {

constexpr Instant now = std::chrono::sys_days(std::chrono::year(2027) / 3 / 1) + 12h;

MessageTypeFields good() {
    return {.text = "All the best, {first_name}!"};
}

std::string repeated(std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

/// "code field" of each.
std::vector<std::string> faults(const MessageTypeFields& fields, Errors found = {}) {
    const auto result = validated(fields, now, {}, std::move(found));
    std::vector<std::string> list;
    if (result) return list;
    for (const auto& error : result.errors()) list.push_back(error.code + " " + error.field);
    return list;
}

std::string fault_of(std::string_view text) {
    const auto fault = template_fault("template", text);
    return fault ? fault->code : "none";
}

}  // namespace

TEST_CASE("a type with a text alone is kept at nine by the usual rules") {
    const auto fields = validated(good(), now);
    REQUIRE(fields);
    CHECK(*fields == good());
    CHECK(fields->send_at == TimeOfDay{9h});
    CHECK(fields->max_lateness == 48h);
}

TEST_CASE("every rule that a type breaks is named at once") {
    auto fields = good();
    fields.text = "Hi {firstName}";
    fields.late_text = " \n";
    fields.gap_rule = "forward";
    fields.fold_rule = "third";
    fields.leap_day = "feb29";
    fields.catch_up = std::chrono::days(61);
    fields.max_lateness = 59s;
    fields.spread = 12h + 1ms;
    fields.paused_until = now;
    CHECK(faults(fields) == std::vector<std::string>{"unknown_placeholder template", "required lateTemplate",
                                                     "unknown_value gapRule", "unknown_value foldRule",
                                                     "unknown_value leapDay", "out_of_range catchUp",
                                                     "out_of_range maxLateness", "out_of_range spread",
                                                     "in_the_past pausedUntil"});
    CHECK(faults(fields, {{"wrong_type", "leapDay", "must be a string"}}).front() == "wrong_type leapDay");
    CHECK(validated(fields, now).errors()[2].text == "must be one of shift_forward, before_gap, skip");
    CHECK(validated(fields, now).errors()[6].text == "must be from 1m to 60d");
}

TEST_CASE("the limits of a type's durations are those of the ledger") {
    auto fields = good();
    fields.catch_up = 0s;
    fields.max_lateness = 1min;
    fields.spread = 0s;
    CHECK(faults(fields).empty());
    fields.catch_up = fields.max_lateness = std::chrono::days(60);
    fields.spread = 12h;
    CHECK(faults(fields).empty());
    fields.max_lateness += 1ms;
    CHECK(faults(fields) == std::vector<std::string>{"out_of_range maxLateness"});
}

TEST_CASE("a new pause ends in the future and one that stood there may have passed") {
    auto fields = good();
    fields.paused_until = now + 1us;
    CHECK(validated(fields, now));
    fields.paused_until = now - 1h;
    CHECK_FALSE(validated(fields, now));
    CHECK(validated(fields, now, now - 1h));
    CHECK_FALSE(validated(fields, now, now - 2h));
}

TEST_CASE("a template holds known placeholders and no other brace") {
    for (const char* text : {"{first_name}{last_name}{full_name}{years}{date}", "100 %, \u00e9, \U0001f382",
                             "a\n\tb\r\n", "x"}) {
        CAPTURE(text);
        CHECK(fault_of(text) == "none");
    }
    for (const char* text : {"{name}", "{First_name}", "{}", "{ first_name }", "a {first_name} {x-1} b"}) {
        CAPTURE(text);
        CHECK(fault_of(text) == "unknown_placeholder");
    }
    for (const char* text :
         {"{", "}", "{first_name", "first_name}", "{{first_name}}", "{first_{years}name}", "}{", "{a@b}"}) {
        CAPTURE(text);
        CHECK(fault_of(text) == "invalid_template");
    }
    CHECK(template_fault("lateTemplate", "{nick}, hi")->text ==
          "has the placeholder {nick}: the placeholders are {first_name}, {last_name}, {full_name}, {years} "
          "and "
          "{date}");
    CHECK(template_fault("lateTemplate", "{nick}, hi")->field == "lateTemplate");
}

TEST_CASE("a template has text and only characters and line breaks") {
    for (const char* text : {"", " ", "\n\t "}) CHECK(fault_of(text) == "required");
    for (const char* text : {"a\x1b[2J", "a\x7f", "a\u0085", "a\u2028"}) {
        CAPTURE(text);
        CHECK(fault_of(text) == "invalid_characters");
    }
    CHECK(fault_of(repeated("\u00e9", 2000)) == "none");
    CHECK(fault_of(repeated("\u00e9", 2001)) == "too_long");
}

TEST_CASE("a template that could become too long for a long name is refused") {
    CHECK(longest_rendering("Hi {full_name}, {years}, {date}{") == 3 + 201 + 2 + 10 + 2 + 10 + 1);
    CHECK(longest_rendering(repeated("{full_name}", 49)) == 9849);
    CHECK(fault_of(repeated("{full_name}", 49) + repeated("x", 151)) == "none");
    CHECK(fault_of(repeated("{full_name}", 49) + repeated("x", 152)) == "too_long");
    CHECK(fault_of(repeated("{first_name}", 101)) == "too_long");
}

TEST_CASE("a type's name is a capital letter and then capital letters, digits and underscores") {
    for (const char* name : {"A", "NAME_DAY", "X1", "A__"}) CHECK(is_type_name(name));
    CHECK(is_type_name("A" + repeated("B", 39)));
    for (const char* name : {"", "a", "1A", "_A", "A-B", "A B", "\u00c9", "A\n"})
        CHECK_FALSE(is_type_name(name));
    CHECK_FALSE(is_type_name("A" + repeated("B", 40)));
    CHECK(type_name_fault("")->code == "required");
    CHECK(type_name_fault("a")->code == "invalid_name");
    CHECK_FALSE(type_name_fault("A"));
}

TEST_CASE("what decides when a message is sent is told from the rest of a type") {
    const auto base = good();
    auto other = base;
    other.text = "x";
    other.late_text = "y";
    other.catch_up = 1h;
    other.max_lateness = 1h;
    other.paused_until = now;
    CHECK(same_rules(base, other));
    const auto differs = [&](auto change) {
        auto changed = base;
        change(changed);
        return !same_rules(base, changed);
    };
    CHECK(differs([](auto& f) { f.send_at = TimeOfDay{8h}; }));
    CHECK(differs([](auto& f) { f.gap_rule = "skip"; }));
    CHECK(differs([](auto& f) { f.fold_rule = "second"; }));
    CHECK(differs([](auto& f) { f.leap_day = "mar1"; }));
    CHECK(differs([](auto& f) { f.spread = 1h; }));
}
