#include "libcore/runtime/settings.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using runtime::Environment;
using runtime::Variables;

namespace {

/// A file that ends with the test.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& content, mode_t mode = 0600) {
        ::close(::mkstemp(path_.data()));
        std::ofstream(path_) << content;
        ::chmod(path_.c_str(), mode);
    }
    ~TemporaryFile() { ::unlink(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/tidings_settings_XXXXXX";
};

}  // namespace

TEST_CASE("settings that are not set have their defaults") {
    Environment environment(Variables{{"EMPTY", ""}});
    CHECK(environment.text("NAME", "tidings") == "tidings");
    CHECK(environment.text("EMPTY", "tidings") == "tidings");
    CHECK(environment.integer("COUNT", 5, 1, 10) == 5);
    CHECK(environment.decimal("RATIO", .5, 0, 1) == .5);
    CHECK(environment.duration("GRACE", 25s, 1s, 1h) == 25s);
    CHECK(environment.choice("MODE", "resend", {"resend", "park"}) == "resend");
    CHECK_FALSE(environment.flag("VERBOSE", false));
    CHECK_FALSE(environment.secret("TOKEN"));
    CHECK(environment.app_env() == runtime::AppEnv::production);
    CHECK(environment.errors().empty());
}

TEST_CASE("durations have a unit or are milliseconds") {
    const auto read = [](const char* text) {
        Environment environment(Variables{{"D", text}});
        const auto value = environment.duration("D", -1ms, 0ms, 1000h);
        return environment.errors().empty() ? value : -1ms;
    };
    CHECK(read("26h") == 26h);
    CHECK(read("15m") == 15min);
    CHECK(read("10s") == 10s);
    CHECK(read("250ms") == 250ms);
    CHECK(read("30000") == 30s);
    for (const auto* wrong : {"h", "1d", "1.5h", "-1s", "10 s", "99999999999h", "1001h", "s10", "10ss"}) {
        CAPTURE(wrong);
        CHECK(read(wrong) == -1ms);
    }
}

TEST_CASE("every duration can be given in seconds, by another name") {
    Environment environment(Variables{{"GRACE_SECS", "30"}, {"LEASE_SECS", "250ms"}, {"D_SECS", "many"}});
    CHECK(environment.duration("GRACE", 25s, 1s, 1h) == 30s);
    CHECK(environment.duration("LEASE", 25s, 1ms, 1h) == 250ms);
    CHECK(environment.duration("D", 25s, 1s, 1h) == 25s);
    REQUIRE(environment.errors().size() == 1);
    CHECK_THAT(environment.errors()[0], Contains("D_SECS must be a duration from 1s to 1h"));
    CHECK_THAT(environment.table(), Contains("GRACE  30s    environment GRACE_SECS"));
    CHECK(environment.warnings().empty());
}

TEST_CASE("a setting has the value of any of its names, and two values are an error that names both") {
    Environment environment(Variables{{"B", "7"}, {"C", "7"}, {"X", "1"}, {"Y", "1"}, {"Z", "2"}});
    environment.alias("A", {"B", "C"});
    environment.alias("X", {"Y", "Z"});
    CHECK(environment.integer("A", 0, 0, 9) == 7);
    CHECK(environment.errors().empty());
    environment.integer("X", 0, 0, 9);
    CHECK(environment.errors() == std::vector<std::string>{"X and Z say different things: 1 and 2"});
    CHECK(environment.table() == "A  7  environment B\nX  1  environment\n");
}

TEST_CASE("a value that nobody set says who chose it") {
    Environment environment(Variables{{"B", "7"}});
    CHECK(environment.integer("A", {5, "preset wide"}, 1, 10) == 5);
    CHECK(environment.integer("B", {5, "preset wide"}, 1, 10) == 7);
    CHECK(environment.table() == "A  5  preset wide\nB  7  environment\n");
}

TEST_CASE("every wrong setting is reported at once, once, and names its variable") {
    Environment environment(Variables{{"COUNT", "many"},
                                      {"PORT", "70000"},
                                      {"GRACE", "soon"},
                                      {"MODE", "maybe"},
                                      {"VERBOSE", "2"},
                                      {"RATIO", "nan"},
                                      {"APP_ENV", "prod"}});
    environment.integer("COUNT", 1, 0, 9);
    environment.integer("PORT", 3000, 0, 65535);
    environment.duration("GRACE", 25s, 1s, 1h);
    environment.choice("MODE", "resend", {"resend", "park"});
    environment.flag("VERBOSE", false);
    environment.decimal("RATIO", .5, 0, 1);
    environment.app_env();
    environment.required_text("QUEUE");
    environment.required_url("DATABASE_URL");
    environment.app_env();
    REQUIRE(environment.errors().size() == 9);
    CHECK(environment.errors()[0] == "COUNT must be a whole number from 0 to 9, not \"many\"");
    CHECK(environment.errors()[1] == "PORT must be a whole number from 0 to 65535, not \"70000\"");
    CHECK_THAT(environment.errors()[2], Contains("GRACE must be a duration from 1s to 1h"));
    CHECK(environment.errors()[3] == "MODE must be one of resend, park, not \"maybe\"");
    CHECK_THAT(environment.errors()[6], Contains("APP_ENV must be one of production, staging, development"));
    CHECK(environment.errors()[7] == "QUEUE is required");
    CHECK(environment.errors()[8] == "DATABASE_URL is required (or DATABASE_URL_FILE)");
}

TEST_CASE("a secret comes from its variable or from a file without the last newline") {
    const TemporaryFile file("hunter2\n");
    Environment environment(Variables{{"A", "direct"}, {"B_FILE", file.path()}});
    CHECK(environment.required_secret("A") == "direct");
    CHECK(environment.required_secret("B") == "hunter2");
    CHECK(environment.errors().empty());
    CHECK(environment.warnings().empty());
    CHECK_THAT(environment.table(), !Contains("direct") && !Contains("hunter2") && Contains(file.path()));
}

TEST_CASE("a secret given twice or in a missing or empty file is an error") {
    const TemporaryFile empty("\n");
    Environment environment(
        Variables{{"A", "x"}, {"A_FILE", "/y"}, {"B_FILE", "/no/such/file"}, {"C_FILE", empty.path()}});
    environment.required_secret("A");
    environment.required_secret("B");
    environment.required_secret("C");
    REQUIRE(environment.errors().size() == 3);
    CHECK(environment.errors()[0] == "A and A_FILE are both set");
    CHECK(environment.errors()[1] == "B_FILE names a file that cannot be read: /no/such/file");
    CHECK_THAT(environment.errors()[2], Contains("C_FILE names an empty file"));
}

TEST_CASE("a secret file that everybody can read is warned about") {
    const TemporaryFile file("hunter2", 0644);
    Environment environment(Variables{{"A_FILE", file.path()}});
    CHECK(environment.secret("A") == "hunter2");
    REQUIRE(environment.warnings().size() == 1);
    CHECK_THAT(environment.warnings()[0], Contains("A_FILE") && Contains("0644"));
}

TEST_CASE("a URL hides its password and nothing else") {
    using runtime::mask_password;
    CHECK(mask_password("postgresql://app:s3cret@db:5432/tidings") == "postgresql://app:***@db:5432/tidings");
    CHECK(mask_password("amqp://app:p/w@d@mq/") == "amqp://app:***@mq/");
    CHECK(mask_password("postgresql://db/tidings?user=a&password=s3cret&sslmode=require") ==
          "postgresql://db/tidings?user=a&password=***&sslmode=require");
    CHECK(mask_password("postgresql://db/tidings?sslpassword=s3cret&password=s3cret") ==
          "postgresql://db/tidings?sslpassword=***&password=***");
    CHECK(mask_password("postgresql://db:5432/tidings?password=s3c@ret") ==
          "postgresql://db:5432/tidings?password=***");
    CHECK(mask_password("host=db password=s3cret user=a") == "host=db password=*** user=a");
    CHECK(mask_password("postgresql://db:5432/tidings") == "postgresql://db:5432/tidings");
    CHECK(mask_password("https://mail.example/v1") == "https://mail.example/v1");
}

TEST_CASE("the table shows each value and where it came from") {
    const TemporaryFile file("postgresql://app:s3cret@db/tidings\n");
    Environment environment(Variables{{"PORT", "8080"}, {"DATABASE_URL_FILE", file.path()}});
    environment.integer("PORT", 3000, 0, 65535);
    environment.duration("GRACE", 25s, 1s, 1h);
    environment.required_url("DATABASE_URL");
    CHECK(environment.table() ==
          "PORT          8080                             environment\n"
          "GRACE         25s                              default\n"
          "DATABASE_URL  postgresql://app:***@db/tidings  file " +
              file.path() + "\n");
}

TEST_CASE("the process environment is read") {
    ::setenv("TIDINGS_TEST_SETTING", "42", 1);
    CHECK(Environment().integer("TIDINGS_TEST_SETTING", 0, 0, 100) == 42);
}

TEST_CASE("a variable that looks like a misspelt setting is named with the setting it may mean") {
    for (const auto* misspelt : {"DB_POOLMAX", "DB_POOL_MXA", "db_pool_max", "DB_POOL_MAXX", "DATABASE_URI",
                                 "LOGLEVEL", "DB_MAX_CONNECTION", "DB_LIFETIME_SEC"}) {
        CAPTURE(misspelt);
        Environment environment(Variables{{misspelt, "7"}, {"DB_POOL_MIN", "1"}});
        environment.alias("DB_POOL_MAX", {"DB_MAX_CONNECTIONS"});
        environment.integer("DB_POOL_MAX", 4, 1, 500);
        environment.integer("DB_POOL_MIN", 1, 0, 500);
        environment.duration("DB_LIFETIME", 1h, 1s, 2h);
        environment.url("DATABASE_URL");
        environment.text("LOG_LEVEL", "info");
        REQUIRE(environment.warnings().size() == 1);
        CHECK_THAT(environment.warnings()[0], Contains(misspelt) && Contains("is not a setting; is "));
        CHECK(environment.errors().empty());
    }
}

TEST_CASE("variables of others are no misspelt settings") {
    Environment environment(Variables{{"API_PORT", "1"},
                                      {"PATH", "/bin"},
                                      {"PGPORT", "1"},
                                      {"DATABASE_URL_FILE", "/x"},
                                      {"REDIS_PORT", "1"},
                                      {"DATABASE_URL_UNPOOLED", "x"},
                                      {"POST", "1"}});
    environment.integer("OPS_PORT", 0, 0, 65535);
    environment.integer("PORT", 0, 0, 65535);
    environment.url("DATABASE_URL");
    CHECK(environment.warnings().empty());
}
