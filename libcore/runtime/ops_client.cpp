#include "libcore/runtime/ops_client.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

namespace runtime {
namespace {

constexpr std::size_t longest_answer = 64 * 1024;

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

    /// Until the other side closes, or is silent for too long.
    std::string rest() const {
        std::string text;
        std::array<char, 4096> bytes{};
        for (ssize_t count = 1; count > 0 && text.size() < longest_answer;) {
            count = ::recv(fd_, bytes.data(), bytes.size(), 0);
            if (count > 0) text.append(bytes.data(), static_cast<std::size_t>(count));
        }
        return text;
    }

private:
    int fd_ = -1;
    bool connected_ = false;
};

OpsAnswer parse(std::string_view text) {
    constexpr std::string_view version = "HTTP/1.1 ";
    OpsAnswer answer;
    if (!text.starts_with(version)) return {};
    text.remove_prefix(version.size());
    const auto status = text.substr(0, 3);
    const auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), answer.status);
    if (error != std::errc{} || end != status.data() + 3) return {};
    if (const auto head = text.find("\r\n\r\n"); head != std::string_view::npos)
        answer.body = text.substr(head + 4);
    return answer;
}

}  // namespace

std::optional<OpsAnswer> ask_ops(const OpsServer::Settings& settings, const std::string& path,
                                 const std::string& body, std::chrono::milliseconds patience) {
    std::string request =
        (body.empty() ? "GET " : "POST ") + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (!settings.admin_token.empty()) request += "Authorization: Bearer " + settings.admin_token + "\r\n";
    if (!body.empty()) {
        request +=
            "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    const Socket socket(address_to_ask(settings.bind), settings.port, patience);
    if (!socket.send(request + "\r\n" + body)) return std::nullopt;
    return parse(socket.rest());
}

}  // namespace runtime
