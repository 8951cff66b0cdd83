// Whose turn it is among the servers of a URL, and among the addresses of each, and for how long. Looks them
// up on the way.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <vector>

#include "libcore/postgres/host_lookup.hpp"
#include "libcore/postgres/libpq.hpp"
#include "libcore/postgres/url.hpp"

namespace postgres {

class ServerTurns {
public:
    /// All of them have so long. The lookups are those of the process unless it is said.
    ServerTurns(const UrlOptions& options, std::chrono::milliseconds limit,
                std::shared_ptr<HostLookups> lookups);

    /// What libpq is told so that it looks nothing up; null if that is not known until then. Throws
    /// DatabaseError when this server has no address, or none in time.
    const UrlOptions* address(Deadline until, const std::stop_token& stop);
    Deadline ends() const { return ends_; }
    /// False if there is none, or no time.
    bool next();

    /// Of this turn alone.
    void not_before(Deadline end) { ends_ = std::max(ends_, end); }
    /// Of everything.
    void extend(Deadline::duration by);

private:
    void turn_to_server(std::size_t server);
    void turn_to_address(std::size_t address);
    void look_up();

    const std::shared_ptr<HostLookups> host_lookups_;
    const bool together_;
    /// Those of a turn.
    const std::vector<std::vector<UrlOptions>> servers_;
    Deadline deadline_;

    std::size_t server_ = 0;
    Deadline server_ends_{};
    std::vector<std::shared_ptr<HostLookup>> lookups_;  ///< one for each of them; null if it needs none
    std::vector<UrlOptions> addresses_;                 ///< once they are known
    std::size_t address_ = 0;
    Deadline ends_{};  ///< of this address, or of looking for them
};

}  // namespace postgres
