// Who is taken for the database: a server that shows a certificate, and what the settings make of it.

#include <catch2/catch.hpp>

#include "libcore/postgres/connection.hpp"
#include "libcore/service/database_settings.hpp"
#include "tests/support/host_names.hpp"
#include "tests/support/servers/postgres_server.hpp"

namespace {

using Catch::Matchers::Contains;
using runtime::Variables;

constexpr postgres::Statement is_encrypted{"is_encrypted",
                                           "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"};

/// Whether a production service with these settings gets through, and encrypted; or why not.
std::string reached(Variables variables, std::shared_ptr<postgres::HostLookups> host_lookups = {}) {
    runtime::Environment environment(std::move(variables));
    auto settings = service::read_database_settings(
        environment, runtime::AppEnv::production,
        {.application = "tests", .kind = service::PoolUser::loops, .size = {1, 0}});
    if (!environment.errors().empty()) return environment.errors().front();
    settings.connection.host_lookups = std::move(host_lookups);
    try {
        postgres::Connection connection(settings.connection);
        return connection.run(is_encrypted).front().get<bool>(0) ? "encrypted" : "in the open";
    } catch (const postgres::DatabaseError& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE(
    "a production service talks to the server that its root certificate vouches for, by that name alone") {
    const support::Certificate certificate("db.example");
    const support::PostgresServer server(certificate);
    const auto at = [&](const std::string& host) {
        return "postgresql://postgres@" + host + ":" + std::to_string(server.port()) +
               "/postgres?hostaddr=127.0.0.1";
    };
    const auto roots = certificate.certificate();

    CHECK(reached({{"DATABASE_URL", at("db.example")}, {"DB_SSLROOTCERT", roots}}) == "encrypted");
    CHECK_THAT(reached({{"DATABASE_URL", at("other.example")}, {"DB_SSLROOTCERT", roots}}),
               Contains("does not match host name"));
    CHECK_THAT(reached({{"DATABASE_URL", at("db.example")}}), Contains("certificate verify failed"));
    CHECK(reached({{"DATABASE_URL", at("other.example") + "&sslmode=require"}}) == "encrypted");
    CHECK(reached({{"DATABASE_URL", at("other.example")}, {"DB_SSLMODE", "disable"}}) == "in the open");
}

TEST_CASE("the name that was looked up is the one that the certificate has to vouch for") {
    const support::Certificate certificate("db.example");
    const support::PostgresServer server(certificate);
    const support::HostNames names({{"db.example", {"127.0.0.1"}}, {"other.example", {"127.0.0.1"}}});
    const auto at = [&](const std::string& host) {
        return reached({{"DATABASE_URL",
                         "postgresql://postgres@" + host + ":" + std::to_string(server.port()) + "/postgres"},
                        {"DB_SSLROOTCERT", certificate.certificate()}},
                       names.lookups());
    };
    CHECK(at("db.example") == "encrypted");
    CHECK_THAT(at("other.example"), Contains("does not match host name"));
}
