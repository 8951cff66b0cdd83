// The W3C trace context of a request: the id under which a client follows it through many systems.
#pragma once

#include <string_view>

namespace api {

/// The trace id of a `traceparent` header: 32 lower-case hexadecimal digits, not all zero. Empty when the
/// header is missing or malformed; a version later than 00 may carry more after what is known.
std::string_view trace_id(std::string_view traceparent);

}  // namespace api
