// What a database URL says, without connecting. What is malformed is not repeated: it may be a password.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace postgres {

/// What no retry can mend in a URL; or nothing.
std::optional<std::string> problem_of_url(const std::string& url);

/// libpq's names and values, as far as the URL gives them; none when it is malformed.
using UrlOptions = std::map<std::string, std::string>;
UrlOptions options_of_url(const std::string& url);

/// Every server it may lead to is on this machine: a Unix socket, localhost or a loopback address.
bool is_local(const UrlOptions& options);

/// The same once for each server of its lists.
std::vector<UrlOptions> servers_of(const UrlOptions& options);

/// As something that says the same as the URL that they are of.
std::string to_conninfo(const UrlOptions& options);

/// The parts of one of libpq's lists, of which an empty one has one part.
std::vector<std::string> split_list(const std::string& list);

}  // namespace postgres
