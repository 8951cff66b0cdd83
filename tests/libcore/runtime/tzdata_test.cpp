#include "libcore/runtime/tzdata.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

namespace {

/// A folder of zones that says what it is in these files.
class Folder {
public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "tidings-zones-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }

    void write(const std::string& name, const std::string& content) const {
        std::ofstream(path / name) << content;
    }

    std::filesystem::path path;
};

}  // namespace

TEST_CASE("the release of the time zone data is read from where the system keeps it") {
    const Folder zones;
    CHECK(runtime::tzdata_version(zones.path) == "unknown");
    zones.write("+VERSION", "2024b\n");
    CHECK(runtime::tzdata_version(zones.path) == "2024b");
    zones.write("tzdata.zi", "# version 2025b\n# This zic input file is in the public domain.\n");
    CHECK(runtime::tzdata_version(zones.path) == "2025b");
}

TEST_CASE("a file that names no release of the time zone data is not believed") {
    const Folder zones;
    zones.write("tzdata.zi", "# redo posix_only\nR A 1916 o - Jun 14 23s 1 S\n");
    CHECK(runtime::tzdata_version(zones.path) == "unknown");
    zones.write("tzdata.zi", "# version unknown\n");
    CHECK(runtime::tzdata_version(zones.path) == "unknown");
    zones.write("+VERSION", "2025b\"} 1\n");
    CHECK(runtime::tzdata_version(zones.path) == "unknown");
}
