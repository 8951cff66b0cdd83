// New users without end, nobody twice: zones and birthdays at random.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "libcore/domain/user.hpp"
#include "libcore/postgres/zones_table.hpp"

namespace bench {

class People {
public:
    /// `mark` is part of every address. The same mark gives the same people. The zones outlive this.
    People(const std::vector<postgres::ZoneName>& zones, std::string mark);

    domain::UserFields next();

private:
    const std::vector<postgres::ZoneName>& zones_;
    const std::string mark_;
    std::mt19937_64 random_;
    int count_ = 0;
};

/// As POST /api/v1/users takes it.
std::string request_body(const domain::UserFields& user);

}  // namespace bench
