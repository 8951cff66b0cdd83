// The people of a simulated year, and what happens to them: mostly within a day or two of an occasion of
// theirs.
#pragma once

#include "tests/support/year/world.hpp"

namespace year {

/// Fills `ids`, `people` and `changes`; types and outages are there already.
void populate(World& world, const std::vector<std::string>& zones);

/// As the model of the ledger sees them.
model::User as_user(const Person& person, const domain::Uuid& id);

}  // namespace year
