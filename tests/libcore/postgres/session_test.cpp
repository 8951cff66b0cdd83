#include "libcore/postgres/session.hpp"

#include <catch2/catch.hpp>

using postgres::DatabaseError;
using postgres::refuses_options;

namespace {

DatabaseError refused(const std::string& text, const std::string& sqlstate) {
    return {DatabaseError::Cause::connection, text, sqlstate};
}

}  // namespace

TEST_CASE("a pooler's refusal of options is known by its words, whichever release says them") {
    CHECK(
        refuses_options(refused("connect: FATAL: unsupported startup parameter: options (08P01)", "08P01")));
    CHECK(refuses_options(refused(
        "connect: FATAL: unsupported startup parameter in options: statement_timeout (08P01)", "08P01")));
    CHECK(refuses_options(refused(
        "connect: ERROR: unsupported startup parameter in options: tidings.told. Please use an unpooled "
        "connection (08P01)",
        "08P01")));
    CHECK_FALSE(refuses_options(
        refused("connect: FATAL: unsupported startup parameter: tcp_user_timeout (08P01)", "08P01")));
    CHECK_FALSE(
        refuses_options(refused("connect: FATAL: invalid startup parameter options (22023)", "22023")));
}

TEST_CASE("what a session is told is the same by options, by query and by script") {
    postgres::ConnectionSettings settings{.url = "", .session = {{"search_path", "one, it's"}}};
    const auto told = postgres::session_settings(settings);
    CHECK(postgres::as_options(told).find(" -c search_path=one,\\ it's") != std::string::npos);
    CHECK(postgres::as_query(told).find("set_config('search_path', 'one, it''s', true)") !=
          std::string::npos);
    CHECK(postgres::as_script(told).find("SET LOCAL search_path TO 'one', 'it''s'; ") != std::string::npos);
}
