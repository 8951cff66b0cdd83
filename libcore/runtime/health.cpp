#include "libcore/runtime/health.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace runtime {
namespace {

using namespace std::chrono_literals;

// Longer than /readyz takes, whatever the dependencies do.
constexpr auto probe_patience = 3s;

/// A service that listens on every address is asked on loopback.
std::string address_to_ask(std::string bind) {
    if (bind.starts_with('[') && bind.ends_with(']')) bind = bind.substr(1, bind.size() - 2);
    if (bind == "0.0.0.0") return "127.0.0.1";
    return bind == "::" ? "::1" : bind;
}

class Socket {
public:
    Socket(const std::string& address, std::uint16_t port, std::chrono::milliseconds patience) {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
        const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
        fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
        const timeval limit{.tv_sec = seconds.count(), .tv_usec = (patience - seconds).count() * 1000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of connect as well
        connected_ = ::connect(fd_, found->ai_addr, found->ai_addrlen) == 0;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }

    bool send(std::string_view text) const {
        return connected_ && std::cmp_equal(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), text.size());
    }

    /// What the first bytes are: enough of them for a status line, fewer when there are no more.
    std::string beginning(std::size_t size) const {
        std::string text;
        std::array<char, 64> bytes{};
        for (ssize_t count = 1; count > 0 && text.size() < size;) {
            count = ::recv(fd_, bytes.data(), bytes.size(), 0);
            if (count > 0) text.append(bytes.data(), static_cast<std::size_t>(count));
        }
        return text;
    }

private:
    int fd_ = -1;
    bool connected_ = false;
};

}  // namespace

bool is_ready(const OpsServer::Settings& settings, std::chrono::milliseconds patience) {
    constexpr std::string_view yes = "HTTP/1.1 200 ";
    const Socket socket(address_to_ask(settings.bind), settings.port, patience);
    return socket.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") &&
           socket.beginning(yes.size()).starts_with(yes);
}

Command health_command(const OpsServer::Settings& settings) {
    return {.path = {"health"},
            .help = "Ask the service on this machine's operations port whether it is ready",
            .run = [settings](const Arguments&) -> int {
                if (is_ready(settings, probe_patience)) return exit_ok;
                std::cerr << "not ready\n";
                return exit_failure;
            }};
}

}  // namespace runtime
