// Randomness from the kernel.
#pragma once

#include <cstdint>
#include <span>

#include "libcore/domain/uuid.hpp"

namespace api {

void fill_random(std::span<std::uint8_t> bytes);

std::uint64_t random_number();

/// Version 7, of this moment.
domain::Uuid new_uuid();

}  // namespace api
