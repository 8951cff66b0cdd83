// Reads one HTTP/1.1 request out of received bytes. Pure. Stricter than Pistache's own parser, and than RFC
// 9112 allows it to be: whatever two servers could frame differently is refused, so nothing can be smuggled.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime {

/// Borrowed from the connection: valid until the handler returns. Nothing is URL-decoded.
struct Request {
    std::string_view method;  ///< "GET"; a HEAD arrives as GET, and its body is not sent
    std::string_view path;
    std::string_view query = {};  ///< without the question mark
    std::vector<std::pair<std::string_view, std::string_view>> headers = {};
    std::string_view body = {};
    std::string_view peer_address = {};  ///< numeric, without port

    /// The value of the first header of that name, in any case; empty if there is none.
    std::string_view header(std::string_view name) const;
    /// The values of all headers of that name, in their order.
    std::vector<std::string_view> all_headers(std::string_view name) const;
};

struct ParsedRequest {
    enum class State { incomplete, complete, refused };

    State state = State::incomplete;
    /// incomplete: how many bytes there must be before it is worth asking again. complete: how many it took.
    std::size_t size = 0;
    bool expects_continue = false;  ///< incomplete: the client waits for "100 Continue"
    int status = 400;               ///< refused: answer with this and close
    Request request;
    bool head_only = false;
    bool keep_alive = true;
};

/// `max_size` is of head and body together.
ParsedRequest parse_request(std::string_view received, std::size_t max_size);

}  // namespace runtime
