// An attempt to connect, which can be left when somebody's time is up, and gone on with by somebody else.
#pragma once

#include <optional>
#include <stop_token>

#include "libcore/postgres/connection_settings.hpp"
#include "libcore/postgres/error.hpp"
#include "libcore/postgres/libpq.hpp"
#include "libcore/postgres/server_turns.hpp"
#include "libcore/postgres/url.hpp"

namespace postgres {

struct Connected {
    LibpqConnection connection;
    /// The session has not been told anything: a pooler gives each transaction another one.
    bool pooled;
};

class ConnectAttempt {
public:
    /// From now on it has `connect_timeout`, names of hosts included, and for its first question
    /// `query_timeout`; longer if nobody goes on with it for a while. Throws DatabaseError when the URL is no
    /// good.
    explicit ConnectAttempt(const ConnectionSettings& settings);

    /// Goes on until then; nothing if that was not enough. Throws DatabaseError when no server lets us in, or
    /// none in time. Asked to stop, it gives up within a tenth of a second.
    std::optional<Connected> go_on(Deadline until, const std::stop_token& stop);

private:
    void start(const UrlOptions& options);
    bool connect(Deadline until, const std::stop_token& stop);
    bool ask_whether_told(Deadline until, const std::stop_token& stop);
    bool heard(short events, Deadline until, const std::stop_token& stop) const;

    ServerTurns turns_;
    const bool may_be_pooled_;
    const std::chrono::milliseconds query_timeout_;
    std::optional<Deadline> left_at_{};
    std::optional<DatabaseError> problem_{};  ///< the most telling one so far

    bool without_options_ = false;  ///< it is a pooler, which refused them
    LibpqConnection connection_;
    short awaited_ = 0;  ///< events of poll(2); none when it is connected
    bool asked_ = false;
    bool told_ = false;
};

}  // namespace postgres
