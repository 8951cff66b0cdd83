// The hint that travels through the queue, as proto/delivery.schema.json describes it.
#pragma once

#include <string>
#include <string_view>

#include "libcore/domain/message.hpp"
#include "libcore/domain/result.hpp"

namespace json {

std::string encode(const domain::Delivery& delivery);

/// Refuses whatever the schema refuses.
domain::Result<domain::Delivery> decode_delivery(std::string_view text);

}  // namespace json
