#include "tests/support/tcp_gate.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace support {
namespace {

enum class Mode { forward, stall, refuse };

using Clock = std::chrono::steady_clock;

/// Without bytes it is the end of the connection.
struct Late {
    Clock::time_point due;
    std::string bytes;
};

/// One end of a pair and what was read from the other end for it.
struct End {
    int socket;
    std::string pending = {};
    std::deque<Late> late = {};  ///< comes after what is pending

    bool hears_no_more() const { return !late.empty() && late.back().bytes.empty(); }
};

struct Pair {
    End client;
    End server;
    std::size_t from_client = 0;
};

/// Reads from an end only when the other one has taken everything: a slow reader slows its writer, as without
/// us.
short interest(const End& end, const End& other) {
    return static_cast<short>((other.pending.empty() ? POLLIN : 0) | (end.pending.empty() ? 0 : POLLOUT));
}

/// For poll, which is not to return too early.
int milliseconds_to(Clock::time_point time) {
    if (time == Clock::time_point::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now()).count();
    return static_cast<int>(std::max<decltype(left)>(left, 0));
}

bool send_pending(End& end) {
    const auto sent = ::send(end.socket, end.pending.data(), end.pending.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        end.pending.erase(0, static_cast<std::size_t>(sent));
    }
    return sent >= 0 || errno == EAGAIN;
}

void reset(int socket) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(socket);
}

int connect_to(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return -1;
    }
    int server = -1;
    for (const auto* address = found; address != nullptr && server < 0; address = address->ai_next) {
        server = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(server, address->ai_addr, address->ai_addrlen) != 0) {
            ::close(std::exchange(server, -1));
        }
    }
    ::freeaddrinfo(found);
    return server;
}

}  // namespace

struct TcpGate::State {
    State(std::string host, std::uint16_t upstream_port)
        : upstream_host(std::move(host)), upstream(upstream_port) {
        listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(listener, 128) != 0 ||
            ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error("the gate cannot listen on loopback");
        }
        port = ntohs(address.sin_port);
        thread = std::thread([this] { run(); });
    }

    ~State() {
        change([this] { stopping = true; });
        thread.join();
        reset_all();
        ::close(listener);
        ::close(wake);
    }

    template <class Change>
    void change(Change apply) {
        const std::lock_guard lock(mutex);
        apply();
        ++version;
        ::eventfd_write(wake, 1);
    }

    void reset_all() {
        for (const auto& pair : pairs) {
            reset(pair.client.socket);
            reset(pair.server.socket);
        }
        pairs.clear();
    }

    void run() {
        for (std::vector<pollfd> sources;;) {
            std::uint64_t seen = 0;
            auto next = Clock::time_point::max();
            {
                const std::lock_guard lock(mutex);
                if (stopping) {
                    return;
                }
                seen = version;
                sources = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
                for (const Pair& pair : pairs) {
                    const auto& [client, server, sent] = pair;
                    const bool stalled = mode == Mode::stall;
                    const bool unheard = stalled || (is_mute(pair) && server.pending.empty());
                    const bool client_left = server.hears_no_more(), server_left = client.hears_no_more();
                    sources.push_back(
                        {stalled || client_left ? -1 : client.socket, interest(client, server), 0});
                    sources.push_back(
                        {unheard || server_left ? -1 : server.socket, interest(server, client), 0});
                    for (const auto* end : {&client, &server})
                        if (!stalled && end->pending.empty() && !end->late.empty())
                            next = std::min(next, end->late.front().due);
                }
            }
            ::poll(sources.data(), sources.size(), milliseconds_to(next));

            const std::lock_guard lock(mutex);
            eventfd_t ignored = 0;
            ::eventfd_read(wake, &ignored);
            if (seen == version) {  // otherwise the list of sockets may have changed
                serve(sources);
            }
        }
    }

    bool is_mute(const Pair& pair) const { return mute_after && pair.from_client > *mute_after; }

    void serve(const std::vector<pollfd>& sources) {
        std::size_t index = 2;
        for (auto pair = pairs.begin(); pair != pairs.end(); index += 2) {
            auto& [client, server, sent] = *pair;
            const auto of_server =
                static_cast<short>(sources[index + 1].revents & (is_mute(*pair) ? POLLOUT : -1));
            if (pump(client, server, sources[index].revents, &sent) &&
                pump(server, client, of_server, nullptr) && send_late(client) && send_late(server)) {
                ++pair;
                continue;
            }
            ::close(client.socket);
            ::close(server.socket);
            pair = pairs.erase(pair);
        }
        if (allowance == 0u) {
            allowance.reset();
            reset_all();
        }
        if (sources[1].revents != 0) {
            accept();
        }
    }

    void accept() {
        const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        ++count;
        const int server = mode == Mode::refuse ? -1 : connect_to(upstream_host, upstream);
        if (server < 0) {
            reset(client);
            return;
        }
        const int on = 1;
        ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pairs.push_back({{client}, {server}, 0});
    }

    /// `sent` counts what came from a client.
    bool pump(End& end, End& other, short ready, std::size_t* sent) {
        if ((ready & POLLOUT) != 0 && !send_pending(end)) {
            return false;
        }
        if ((ready & ~POLLOUT) == 0) {
            return true;
        }
        const bool limited = allowance && sent != nullptr;
        std::array<char, 65536> buffer;
        const auto limit = limited ? std::min(*allowance, buffer.size()) : buffer.size();
        const auto size = ::recv(end.socket, buffer.data(), limit, MSG_DONTWAIT);
        if (span > Clock::duration::zero() || !other.late.empty()) {
            const auto bytes = static_cast<std::size_t>(std::max<ssize_t>(size, 0));
            other.late.push_back({Clock::now() + span, std::string(buffer.data(), bytes)});
        }
        if (size <= 0) {
            return !other.late.empty();
        }
        if (limited) {
            *allowance -= static_cast<std::size_t>(size);
        }
        if (sent != nullptr) {
            *sent += static_cast<std::size_t>(size);
        }
        if (!other.late.empty()) {
            return true;
        }
        other.pending.assign(buffer.data(), static_cast<std::size_t>(size));
        return send_pending(other);
    }

    /// What is due by now; false when that is the end.
    bool send_late(End& end) const {
        while (mode != Mode::stall && end.pending.empty() && !end.late.empty() &&
               end.late.front().due <= Clock::now()) {
            if (end.late.front().bytes.empty()) {
                return false;
            }
            end.pending = std::move(end.late.front().bytes);
            end.late.pop_front();
            if (!send_pending(end)) {
                return false;
            }
        }
        return true;
    }

    const std::string upstream_host;
    const std::uint16_t upstream;
    int listener = -1;
    std::uint16_t port = 0;
    int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    std::mutex mutex;  // guards everything below
    Mode mode = Mode::forward;
    bool stopping = false;
    std::uint64_t version = 0;
    std::optional<std::size_t> allowance;
    std::optional<std::size_t> mute_after;
    Clock::duration span{};  ///< of delay
    std::size_t count = 0;
    std::list<Pair> pairs;
    std::thread thread;
};

TcpGate::TcpGate(const std::string& upstream_host, std::uint16_t upstream_port)
    : state_(std::make_unique<State>(upstream_host, upstream_port)) {}

TcpGate::~TcpGate() = default;

std::uint16_t TcpGate::port() const {
    return state_->port;
}

void TcpGate::forward() {
    state_->change([this] {
        state_->mode = Mode::forward;
        state_->mute_after.reset();
        state_->span = {};
    });
}

void TcpGate::delay(std::chrono::milliseconds span) {
    state_->change([this, span] { state_->span = span; });
}

void TcpGate::stall() {
    state_->change([this] { state_->mode = Mode::stall; });
}

void TcpGate::stall_answers(std::size_t after) {
    state_->change([this, after] { state_->mute_after = after; });
}

void TcpGate::cut() {
    state_->change([this] { state_->reset_all(); });
}

void TcpGate::half_close() {
    state_->change([this] {
        for (const Pair& pair : state_->pairs) ::shutdown(pair.client.socket, SHUT_WR);
    });
}

void TcpGate::refuse() {
    state_->change([this] {
        state_->mode = Mode::refuse;
        state_->reset_all();
    });
}

void TcpGate::cut_after(std::size_t bytes) {
    state_->change([this, bytes] { state_->allowance = bytes; });
}

void TcpGate::speak_as_server(const std::string& bytes) {
    state_->change([this, &bytes] {
        for (Pair& pair : state_->pairs) {
            pair.client.pending += bytes;
            send_pending(pair.client);
        }
    });
}

std::size_t TcpGate::open() const {
    const std::lock_guard lock(state_->mutex);
    return state_->pairs.size();
}

std::size_t TcpGate::accepted() const {
    const std::lock_guard lock(state_->mutex);
    return state_->count;
}

}  // namespace support
