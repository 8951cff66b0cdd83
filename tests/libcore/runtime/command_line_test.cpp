#include "libcore/runtime/command_line.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <optional>
#include <sstream>
#include <vector>

namespace {

using runtime::Arguments;
using runtime::CommandOption;
using runtime::Variables;

/// What the program printed and how it ended.
struct Outcome {
    std::optional<int> exit;
    std::string out;
    std::string error;
    std::optional<Arguments> migrate = {};
    std::optional<Arguments> create_key = {};
};

/// Until the end of its scope, also when that is an exception.
class Redirected {
public:
    Redirected(std::ostream& from, std::ostringstream& to) : from_(from), old_(from.rdbuf(to.rdbuf())) {}
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected() { from_.rdbuf(old_); }

private:
    std::ostream& from_;
    std::streambuf* const old_;
};

Outcome run(std::vector<const char*> arguments, const runtime::Environment& environment) {
    Outcome outcome;
    const runtime::Program program{
        "api-svc",
        "Serves users and messages.",
        {{{"migrate"},
          "Bring the schema up to date",
          {{"status", "Only say what is pending", CommandOption::flag}},
          [&](const Arguments& given) {
              outcome.migrate = given;
              return 0;
          }},
         {{"keys", "create"},
          "Make an API key",
          {{"name", "Whose it is", CommandOption::required}, {"scopes", "Comma-separated"}},
          [&](const Arguments& given) {
              outcome.create_key = given;
              return 7;
          }},
         {{"keys", "list"}, "List API keys", {}, [](const Arguments&) { return 0; }}}};
    std::ostringstream out, error;
    const Redirected to_out(std::cout, out);
    const Redirected to_error(std::cerr, error);
    arguments.insert(arguments.begin(), "api-svc");
    outcome.exit = runtime::handle_command_line(static_cast<int>(arguments.size()), arguments.data(), program,
                                                environment);
    outcome.out = out.str();
    outcome.error = error.str();
    return outcome;
}

runtime::Environment good() {
    runtime::Environment environment(Variables{{"PORT", "8080"}});
    environment.integer("PORT", 3000, 0, 65535);
    return environment;
}

runtime::Environment bad() {
    runtime::Environment environment(Variables{{"PORT", "x"}});
    environment.integer("PORT", 3000, 0, 65535);
    environment.required_text("QUEUE");
    return environment;
}

}  // namespace

using Catch::Matchers::Contains;

TEST_CASE("without arguments and with right settings the program goes on") {
    CHECK_FALSE(run({}, good()).exit);
}

TEST_CASE("wrong settings end the program with 2 and are all named") {
    CHECK_THROWS_WITH(run({}, bad()), Contains("PORT must be") && Contains("; QUEUE is required"));
}

TEST_CASE("the configuration can be checked and printed") {
    const auto right = run({"--check-config"}, good());
    CHECK(right.exit == 0);
    CHECK(right.out == "ok\n");
    CHECK(run({"--check-config"}, bad()).exit == 2);
    const auto printed = run({"--print-config"}, good());
    CHECK(printed.exit == 0);
    CHECK(printed.out == "PORT  8080  environment\n");
    CHECK(run({"--print-config"}, bad()).exit == 2);
}

TEST_CASE("help and version need no right settings") {
    const auto help = run({"--help"}, bad());
    CHECK(help.exit == 0);
    CHECK_THAT(help.out, Contains("Serves users") && Contains("migrate") && Contains("--print-config"));
    const auto version = run({"--version"}, bad());
    CHECK(version.exit == 0);
    CHECK_THAT(version.out, Contains("api-svc " + runtime::version()) && Contains(runtime::commit()) &&
                                Contains("tzdata 2"));
}

TEST_CASE("a command gets the options that were given") {
    const auto migrate = run({"migrate"}, good());
    CHECK(migrate.exit == 0);
    CHECK(migrate.migrate == Arguments{});
    CHECK(run({"migrate", "--status"}, good()).migrate == Arguments{{"status", "true"}});
    const auto created = run({"keys", "create", "--name", "N", "--scopes", "a,b"}, good());
    CHECK(created.exit == 7);
    CHECK(created.create_key == Arguments{{"name", "N"}, {"scopes", "a,b"}});
}

TEST_CASE("a wrong command line ends with 2 and runs nothing") {
    for (const auto& wrong : std::vector<std::vector<const char*>>{
             {"--bogus"}, {"bogus"}, {"keys"}, {"keys", "create"}, {"migrate", "--statu"}}) {
        CAPTURE(wrong);
        const auto outcome = run(wrong, good());
        CHECK(outcome.exit == 2);
        CHECK_FALSE(outcome.migrate);
        CHECK_FALSE(outcome.create_key);
    }
    CHECK(run({"migrate"}, bad()).exit == 2);
}
