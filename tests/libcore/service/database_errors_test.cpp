#include "libcore/service/database_errors.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using postgres::DatabaseError;
using postgres::Observation;
using service::DatabaseErrors;

namespace {

double counted(runtime::Registry& registry, const std::string& type, const std::string& operation) {
    return registry.counter("database_errors_total", "", {{"type", type}, {"operation", operation}}).Value();
}

const DatabaseError shed(DatabaseError::Cause::exhausted, "nothing to lend");
const DatabaseError duplicate(DatabaseError::Cause::server, "it is there", "23505");

}  // namespace

TEST_CASE("what goes wrong is counted by kind of error and where, and what goes well is not") {
    constexpr postgres::Statement find{"find", "SELECT 1", postgres::Access::read};
    constexpr postgres::Statement put{"put", "INSERT"};
    runtime::Registry registry("test");
    DatabaseErrors errors(registry);
    const auto before = registry.text();
    for (const char* labels :
         {R"({operation="acquire",type="exhausted"} 0)", R"({operation="connect",type="connection"} 0)"})
        CHECK(before.find("database_errors_total" + std::string(labels)) != std::string::npos);

    errors.count({.kind = Observation::Kind::acquire, .name = "acquire"});
    CHECK(counted(registry, "exhausted", "acquire") == 0);
    errors.count({.kind = Observation::Kind::acquire, .name = "shed", .error = &shed});
    errors.count({.kind = Observation::Kind::acquire, .name = "late", .error = &shed});
    errors.count(
        {.kind = Observation::Kind::statement, .name = "put", .error = &duplicate, .statement = &put});
    errors.count(
        {.kind = Observation::Kind::statement, .name = "find", .error = &duplicate, .statement = &find});
    errors.count({.kind = Observation::Kind::statement, .name = "commit", .error = &duplicate});
    errors.count({.kind = Observation::Kind::transaction, .name = "transaction", .error = &duplicate});
    CHECK(counted(registry, "exhausted", "acquire") == 2);
    CHECK(counted(registry, "constraint", "write") == 1);
    CHECK(counted(registry, "constraint", "read") == 1);
    CHECK(counted(registry, "constraint", "commit") == 1);
}

TEST_CASE("many may fail at once", "[threads]") {
    runtime::Registry registry("test");
    DatabaseErrors errors(registry);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (int i = 0; i < 1'000; ++i)
                errors.count({.kind = Observation::Kind::acquire, .name = "shed", .error = &shed});
        });
    for (auto& thread : threads) thread.join();
    CHECK(counted(registry, "exhausted", "acquire") == 4'000);
}
