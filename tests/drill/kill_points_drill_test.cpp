// A scheduler or a worker dies at each step of dispatch and delivery, alone and in pairs.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/drill/cast.hpp"
#include "tests/drill/play.hpp"
#include "tests/support/year/dice.hpp"

using namespace drill;

namespace {

using support::System;

constexpr int sampled_pairs = 10;

std::string content_of(const std::filesystem::path& path) {
    std::ostringstream content;
    content << std::ifstream(path, std::ios::binary).rdbuf();
    return content.str();
}

std::set<std::string> names_in_the_sources() {
    static const std::regex call(R"re(KILLPOINT\("([^"]+)"\))re");
    std::set<std::string> names;
    for (const char* folder : {"/libcore", "/services"}) {
        for (const auto& file :
             std::filesystem::recursive_directory_iterator(std::string(TIDINGS_SOURCE) + folder)) {
            if (file.path().extension() != ".cpp") continue;
            const auto text = content_of(file.path());
            for (std::sregex_iterator found(text.begin(), text.end(), call), end; found != end; ++found)
                CHECK(names.insert((*found)[1]).second);
        }
    }
    return names;
}

/// At a naive provider, which a message sent twice reaches twice, and at another every other time.
std::vector<Play> plays_of(const std::vector<std::vector<Point>>& deaths) {
    std::vector<Play> plays;
    for (const auto& points : deaths) {
        std::string title;
        for (const Point& point : points) title += (title.empty() ? "" : ", ") + point.name;
        plays.push_back(
            {.title = title,
             .stages = stages_of(points),
             .provider = plays.size() % 2 == 0 ? System::Provider::naive : System::Provider::idempotent});
    }
    return plays;
}

std::vector<std::vector<Point>> all_pairs() {
    std::vector<std::vector<Point>> pairs;
    for (const Point& first : points())
        for (const Point& second : points())
            // Of two programs the order matters only where they do not die together.
            if (first.program == second.program || first.program == Point::Program::scheduler ||
                stages_of({first, second}).size() > 1)
                pairs.push_back({first, second});
    return pairs;
}

void must_hold(const std::vector<Play>& plays) {
    for (const Result& result : perform_all(plays)) {
        INFO(text(result));
        CHECK(result.holds());
    }
}

}  // namespace

TEST_CASE("the kill points of the sources are those that are drilled") {
    std::set<std::string> drilled;
    for (const Point& point : points()) drilled.insert(point.name);
    CHECK(names_in_the_sources() == drilled);
}

TEST_CASE("the programs that are shipped hold no kill point, those built for drills hold each") {
    const auto shipped = [](const char* name) {
        return content_of(std::string(std::getenv("TIDINGS_BIN")) + "/" + name);
    };
    const auto scheduler = content_of(drill_program("scheduler-svc"));
    const auto worker = content_of(drill_program("worker-svc"));
    for (const char* program : {"scheduler-svc", "worker-svc"}) {
        const auto content = shipped(program);
        REQUIRE_FALSE(content.empty());
        CHECK(content.find("KILLPOINT") == std::string::npos);
        for (const Point& point : points()) {
            INFO(program << " " << point.name);
            CHECK(content.find(point.name) == std::string::npos);
        }
    }
    for (const Point& point : points()) {
        INFO(point.name);
        const auto& content = point.program == Point::Program::scheduler ? scheduler : worker;
        CHECK(content.find(point.name) != std::string::npos);
    }
}

TEST_CASE("a program that dies at any step loses nothing, and repeats only what it had under way") {
    using Repeats = Point::Repeats;
    std::vector<Play> plays;
    for (const Point& point : points()) plays.push_back({.title = point.name, .stages = stages_of({point})});
    const auto results = perform_all(plays);
    for (std::size_t i = 0; i < results.size(); ++i) {
        INFO(text(results[i]));
        CHECK(results[i].holds());
        if (points()[i].repeats == Repeats::never)
            CHECK(results[i].verdict.repeats == results[i].verdict.silences);
        if (points()[i].repeats == Repeats::surely) CHECK(results[i].verdict.repeats > 0);
    }
}

TEST_CASE("programs that die at two steps lose nothing: a sample of the pairs") {
    auto pairs = all_pairs();
    year::Dice dice(chosen_seed(1), 0);
    std::vector<std::vector<Point>> sample;
    for (int i = 0; i < sampled_pairs; ++i) sample.push_back(dice.of(pairs));
    must_hold(plays_of(sample));
}

TEST_CASE("programs that die at two steps lose nothing: all pairs", "[.long]") {
    must_hold(plays_of(all_pairs()));
}
