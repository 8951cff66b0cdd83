// The planner in a real scheduler, among faults of the ledger.

#include <catch2/catch.hpp>

#include "tests/services/drill.hpp"

using namespace drill;

TEST_CASE("a unit that cannot be planned keeps no later day from being planned (H17)") {
    System system;
    system.add({.zone = "Asia/Tokyo", .birthday = "1990-03-11"});
    system.add({.count = 3, .birthday = "1990-03-12"});
    system.sql.execute(R"sql(
        DELETE FROM message_logs;
        CREATE FUNCTION refuse_tokyo() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not in Tokyo'; END $$;
        CREATE TRIGGER refuse_tokyo BEFORE INSERT ON message_logs
            FOR EACH ROW WHEN (NEW.timezone = 'Asia/Tokyo') EXECUTE FUNCTION refuse_tokyo())sql");
    auto scheduler = system.start("scheduler-svc");
    const auto complains = [&] {
        return scheduler.process().log().find("a unit cannot be planned") != std::string::npos;
    };
    REQUIRE(eventually(complains));
    CHECK(system.ledger().empty());

    // Tokyo's 11 March is still to be planned when the 12th comes into reach.
    system.set_clock("2027-03-11T08:00:00Z");
    REQUIRE(eventually([&] { return system.ledger().size() == 3; }));
    system.sql.execute("DROP TRIGGER refuse_tokyo ON message_logs");
    CHECK(eventually([&] { return system.ledger().size() == 4; }));
}
