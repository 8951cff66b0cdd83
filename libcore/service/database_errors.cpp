#include "libcore/service/database_errors.hpp"

#include <string>

#include "libcore/service/statement_times.hpp"

namespace service {

using postgres::Observation;

namespace {

std::string_view operation_of(const Observation& seen) {
    switch (seen.kind) {
        case Observation::Kind::connect:
            return "connect";
        case Observation::Kind::acquire:
            return "acquire";
        default:
            return query_type_of(seen);
    }
}

}  // namespace

DatabaseErrors::DatabaseErrors(runtime::Registry& registry) : registry_(registry) {
    // There before the first, so that the first is a rise.
    for (const auto* operation : {"connect", "read", "write"}) counter({"connection", operation});
    counter({"exhausted", "acquire"});
}

void DatabaseErrors::count(const Observation& seen) {
    // What ended a transaction has been told by the statement, its COMMIT perhaps.
    if (seen.kind == Observation::Kind::transaction) return;
    if (seen.error != nullptr) counter({seen.error->type(), operation_of(seen)}).Increment();
}

prometheus::Counter& DatabaseErrors::counter(const Key& key) {
    const std::lock_guard lock(mutex_);
    auto& found = counters_[key];
    if (found == nullptr)
        found =
            &registry_.counter("database_errors_total", "What went wrong, by kind of error and where",
                               {{"type", std::string(key.first)}, {"operation", std::string(key.second)}});
    return *found;
}

}  // namespace service
