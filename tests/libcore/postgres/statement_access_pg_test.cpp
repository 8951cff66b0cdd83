// The mark of every statement in the sources against its text, and against what the database knows of the
// functions it calls.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/postgres_fixture.hpp"

namespace {

using Words = std::set<std::string>;

struct Marked {
    std::string name;
    std::string text;
    bool reads;
};

/// What makes a statement more than a read.
const Words writing{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "ALTER",
                    "DROP",   "GRANT",  "LOCK",   "SHARE", "ANALYZE",  "VACUUM", "CALL"};

// Of the server's own volatile functions those that only look.
constexpr postgres::Statement volatile_functions{"volatile_functions", R"sql(
    SELECT DISTINCT proname FROM pg_proc
    WHERE provolatile = 'v'
      AND proname NOT IN ('clock_timestamp', 'random', 'gen_random_uuid', 'pg_total_relation_size',
                          'pg_timezone_names', 'pg_control_system', 'pg_current_wal_flush_lsn',
                          'pg_current_wal_insert_lsn', 'pg_is_in_recovery', 'pg_last_wal_replay_lsn'))sql"};

std::string content_of(const std::filesystem::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

Words words_of(const std::string& text, const std::map<std::string, std::string>& macros) {
    static const std::regex word("[A-Za-z_][A-Za-z_0-9]*");
    Words words;
    std::vector<std::string> texts{text};
    while (!texts.empty()) {
        const std::string next = std::move(texts.back());
        texts.pop_back();
        for (std::sregex_iterator it(next.begin(), next.end(), word), end; it != end; ++it)
            if (const auto [place, is_new] = words.insert(it->str()); is_new)
                if (const auto macro = macros.find(*place); macro != macros.end())
                    texts.push_back(macro->second);
    }
    return words;
}

struct Sources {
    std::map<std::string, std::string> macros;
    std::vector<Marked> statements;

    Sources() {
        static const std::regex definition("#define (\\w+)((?:.*\\\\\n)*.*)");
        static const std::regex statement("constexpr Statement (\\w+)\\{");
        for (const auto& file : std::filesystem::directory_iterator(TIDINGS_SOURCE "/libcore/postgres")) {
            if (file.path().extension() == ".cmake") continue;
            const std::string text = content_of(file.path());
            for (std::sregex_iterator it(text.begin(), text.end(), definition), end; it != end; ++it)
                macros[(*it)[1]] = (*it)[2];
            for (std::sregex_iterator it(text.begin(), text.end(), statement), end; it != end; ++it) {
                const auto from = static_cast<std::size_t>(it->position() + it->length());
                const std::string all = text.substr(from, text.find("};", from) - from);
                statements.push_back({file.path().filename().string() + ": " + (*it)[1].str(), all,
                                      all.ends_with("Access::read")});
            }
        }
    }
};

}  // namespace

TEST_CASE(
    "exactly those statements are marked as reads that write nothing, lock nothing and call nothing that "
    "does") {
    const support::TestDatabase database;
    auto connection = database.connection();
    Words forbidden = writing;
    for (const auto row : connection.run(volatile_functions)) forbidden.insert(row.get<std::string>(0));
    REQUIRE(forbidden.contains("ensure_partitions"));
    REQUIRE(forbidden.contains("pg_advisory_xact_lock"));
    REQUIRE_FALSE(forbidden.contains("app_now"));

    const Sources sources;
    CHECK(sources.statements.size() > 100);
    for (const Marked& statement : sources.statements) {
        Words found;
        std::ranges::set_intersection(words_of(statement.text, sources.macros), forbidden,
                                      std::inserter(found, found.end()));
        const std::string what = found.empty() ? "nothing" : *found.begin();
        INFO(statement.name << " is " << (statement.reads ? "" : "not ") << "marked as a read, and " << what
                            << " in it speaks against it");
        CHECK(statement.reads == found.empty());
    }
}
