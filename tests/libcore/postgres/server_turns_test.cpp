#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "libcore/postgres/server_turns.hpp"
#include "tests/libcore/postgres/error_of.hpp"
#include "tests/support/host_names.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using postgres::Deadline;
using postgres::ServerTurns;
using postgres::UrlOptions;
using Clock = std::chrono::steady_clock;

namespace {

/// host, hostaddr and port.
using Server = std::array<std::string, 3>;

Server told(const UrlOptions& options) {
    const auto value = [&](const char* name) {
        const auto found = options.find(name);
        return found == options.end() ? "" : found->second;
    };
    return {value("host"), value("hostaddr"), value("port")};
}

/// Whatever libpq would be told by and by, if no server let us in; what is not found is an empty one.
std::vector<Server> all(ServerTurns turns) {
    std::vector<Server> servers;
    do {
        try {
            servers.push_back(told(*turns.address(Deadline::max(), {})));
        } catch (const postgres::DatabaseError&) {
            servers.emplace_back();
        }
    } while (turns.next());
    return servers;
}

struct Names : support::HostNames {
    Names() : HostNames({{"a", {"192.0.2.1", "2001:db8::1"}}, {"b", {"192.0.2.2"}}}) {}

    ServerTurns turns(const std::string& url, std::chrono::milliseconds limit = 1h) const {
        return {postgres::options_of_url(url), limit, lookups()};
    }
};

/// Of this process, for as long as it lives.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        ::setenv(name, value.c_str(), 1);
    }
    ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* const name_;
    std::optional<std::string> before_;
};

}  // namespace

TEST_CASE_METHOD(Names, "addresses, folders of sockets and what the URL says itself are not looked up") {
    for (const auto& [url, server] : std::vector<std::pair<std::string, Server>>{
             {"postgresql:///x?host=/tmp&port=1", {"/tmp", "", "1"}},
             {"postgresql://127.0.0.1:1/x", {"127.0.0.1", "", "1"}},
             {"postgresql://127.1/x", {"127.1", "", ""}},
             {"postgresql://[::1]:1/x", {"::1", "", "1"}},
             {"postgresql://a:1/x?hostaddr=192.0.2.9", {"a", "192.0.2.9", "1"}}})
        CHECK(all(turns(url)) == std::vector{server});
    CHECK(asked() == 0);
}

TEST_CASE_METHOD(Names, "each address of each host has its turn, and one that nobody knows is passed by",
                 "[threads]") {
    CHECK(all(turns("postgresql://a:1,127.0.0.1:2,nobody:3,b:4/x")) ==
          std::vector<Server>{{"a", "192.0.2.1", "1"},
                              {"a", "2001:db8::1", "1"},
                              {"127.0.0.1", "", "2"},
                              {},
                              {"b", "192.0.2.2", "4"}});
    CHECK(all(turns("postgresql:///x?host=b,a&port=7")) ==
          std::vector<Server>{{"b", "192.0.2.2", "7"}, {"a", "192.0.2.1", "7"}, {"a", "2001:db8::1", "7"}});
}

TEST_CASE_METHOD(Names, "servers that are compared stay together, without one that nobody knows",
                 "[threads]") {
    const std::string compared = "&target_session_attrs=prefer-standby";
    CHECK(all(turns("postgresql:///x?host=a,nobody,/tmp,b&port=1,2,3,4" + compared)) ==
          std::vector<Server>{{"a,a,/tmp,b", "192.0.2.1,2001:db8::1,,192.0.2.2", "1,1,3,4"}});
    CHECK(all(turns("postgresql:///x?host=nobody,nobody" + compared)) == std::vector<Server>{{}});

    stall("a");
    ServerTurns some = turns("postgresql:///x?host=a,b&port=1" + compared, 3s);
    CHECK(told(*some.address(Deadline::max(), {})) == Server{"b", "192.0.2.2", "1"});
    CHECK(some.ends() - Clock::now() > 100ms);
}

TEST_CASE_METHOD(Names, "each server has its share of the time, and each of its addresses one of that",
                 "[threads]") {
    const auto left = [](const ServerTurns& it) {
        return std::chrono::round<std::chrono::minutes>(it.ends() - Clock::now()).count();
    };
    ServerTurns some = turns("postgresql://a,b/x", 4h);
    CHECK(left(some) == 120);
    some.address(Deadline::max(), {});
    CHECK(left(some) == 60);
    REQUIRE(some.next());
    CHECK(left(some) == 120);
    REQUIRE(some.next());
    CHECK(left(some) == 240);
    some.extend(60min);
    CHECK(left(some) == 300);

    ServerTurns unlimited = turns("postgresql://a,b/x", 0ms);
    CHECK(unlimited.address(Deadline::max(), {}));
    CHECK(unlimited.ends() == Deadline::max());
}

TEST_CASE_METHOD(Names, "looking for an address can be left and gone on with, and ends with the turn",
                 "[threads]") {
    stall("a");
    ServerTurns some = turns("postgresql://someone:topsecret@a:1/x", 2s);
    CHECK_FALSE(some.address(Clock::now(), {}));
    CHECK_FALSE(some.address(Clock::now() + 1ms, {}));
    const auto error = postgres::error_of([&] { some.address(Deadline::max(), {}); });
    CHECK(error.timed_out());
    CHECK_THAT(error.what(), Contains("\"a\"") && !Contains("topsecret"));
    CHECK(asked() == 1);

    ServerTurns more = turns("postgresql://a:1/x");
    CHECK_FALSE(more.address(Clock::now(), {}));
    forward();
    CHECK(told(*more.address(Deadline::max(), {})) == Server{"a", "192.0.2.1", "1"});
    CHECK(asked() == 2);  // a second is over since the first time
}

TEST_CASE_METHOD(Names, "a name that nobody knows is named, without the password", "[threads]") {
    ServerTurns some = turns("postgresql://someone:topsecret@nobody/x");
    const auto error = postgres::error_of([&] { some.address(Deadline::max(), {}); });
    CHECK(error.connection_lost());
    CHECK_THAT(error.what(), Contains("\"nobody\"") && Contains("nobody knows it") && !Contains("topsecret"));
}

TEST_CASE_METHOD(Names, "servers that the environment names are looked up as if the URL did", "[threads]") {
    const Variable port("PGPORT", "1,2");
    {
        const Variable host("PGHOST", "a,b");
        CHECK(all(turns("postgresql:///x")) == std::vector<Server>{{"a", "192.0.2.1", "1"},
                                                                   {"a", "2001:db8::1", "1"},
                                                                   {"b", "192.0.2.2", "2"}});
        CHECK(all(turns("postgresql://b:3/x")) == std::vector<Server>{{"b", "192.0.2.2", "3"}});
    }
    const int before = asked();
    {
        const Variable socket("PGHOST", "/tmp,@abstract");
        CHECK(all(turns("postgresql:///x")) ==
              std::vector<Server>{{"/tmp", "", "1"}, {"@abstract", "", "2"}});
    }
    const Variable address("PGHOSTADDR", "192.0.2.8,192.0.2.9");
    CHECK(all(turns("postgresql:///x?host=a,b")) ==
          std::vector<Server>{{"a", "192.0.2.8", "1"}, {"b", "192.0.2.9", "2"}});
    CHECK(asked() == before);
}

TEST_CASE_METHOD(Names, "servers that a service file names are looked up as if the URL did", "[threads]") {
    const auto file = std::filesystem::temp_directory_path() / ("services-" + std::to_string(::getpid()));
    std::ofstream(file) << "[main]\nhost=b\nport=3\n";
    const Variable services("PGSERVICEFILE", file.string());
    CHECK(all(turns("postgresql:///x?service=main")) == std::vector<Server>{{"b", "192.0.2.2", "3"}});
    std::filesystem::remove(file);
}
