// What libpq would look up by itself, without a deadline, and how it is told instead. Does no lookup.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libcore/postgres/url.hpp"

namespace postgres {

/// The host whose address one server's options leave open: not an address, not the folder of a socket.
std::optional<std::string> name_to_look_up(const UrlOptions& server);

/// With the servers that libpq finds elsewhere when the URL says nothing: in the environment, in a service
/// file. Only where something may be left to look up.
UrlOptions with_usual_servers(UrlOptions options);

/// Several servers as lists, for which the rest is the same: the reverse of `servers_of`.
UrlOptions as_one(const std::vector<UrlOptions>& servers);

}  // namespace postgres
