# Writes OUTPUT, a .cpp with every file of FOLDER (NNNN_name.sql, numbered without a gap) as postgres::Migration.
# Run as a script: cmake -DFOLDER=… -DOUTPUT=… -P embed_migrations.cmake

file(GLOB files ${FOLDER}/*.sql)
list(SORT files)

set(entries "")
set(version 0)
foreach(file IN LISTS files)
  math(EXPR version "${version} + 1")
  cmake_path(GET file STEM name)
  if(NOT name MATCHES "^0*${version}_[a-z0-9_]+$" OR NOT name MATCHES "^[0-9][0-9][0-9][0-9]_")
    message(FATAL_ERROR "migration ${version} is expected next, named NNNN_name.sql, and not ${name}.sql")
  endif()
  file(READ ${file} sql)
  string(APPEND entries "    Migration{${version}, \"${name}\", R\"~~~(${sql})~~~\"},\n")
endforeach()

file(WRITE ${OUTPUT} "#include <array>

#include \"libcore/postgres/migrator.hpp\"

namespace postgres {

std::span<const Migration> embedded_migrations() {
    static constexpr std::array<Migration, ${version}> migrations{
${entries}    };
    return migrations;
}

}  // namespace postgres
")
