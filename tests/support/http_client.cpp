#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace support {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error("HTTP client: " + what);
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return lower;
}

HttpReply parse_head(std::string_view head) {
    HttpReply reply;
    if (head.size() < 12 || head.substr(0, 7) != "HTTP/1.") fail("not an HTTP reply: " + std::string(head));
    reply.status = std::stoi(std::string(head.substr(9, 3)));
    for (auto begin = head.find("\r\n"); begin != std::string_view::npos; begin = head.find("\r\n", begin)) {
        begin += 2;
        const auto line = head.substr(begin, head.find("\r\n", begin) - begin);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const auto value = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
        reply.headers[lower_case(line.substr(0, colon))] = std::string(value);
    }
    return reply;
}

}  // namespace

std::string HttpReply::header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? std::string() : found->second;
}

HttpClient::HttpClient(int port, std::chrono::milliseconds timeout, std::string from)
    : port_(port), timeout_(timeout), from_(std::move(from)) {}

HttpClient::~HttpClient() {
    close();
}

HttpReply HttpClient::request(std::string_view method, std::string_view target, std::string_view body,
                              const HttpHeaders& headers) {
    std::string bytes = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const auto& [name, value] : headers) bytes += name + ": " + value + "\r\n";
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    bytes += "Connection: keep-alive\r\n\r\n";
    bytes += body;
    if (socket_ >= 0 && stale()) close();
    send(bytes);
    auto reply = receive(method);
    if (reply.header("connection") == "close") close();
    return reply;
}

void HttpClient::send(std::string_view bytes) {
    if (socket_ < 0) open();
    while (!bytes.empty()) {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) fail(std::string("send: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void HttpClient::finish_sending() const {
    ::shutdown(socket_, SHUT_WR);
}

HttpReply HttpClient::receive(std::string_view method) {
    auto end_of_head = buffer_.find("\r\n\r\n");
    while (end_of_head == std::string::npos) {
        if (!read_more()) fail("closed before a reply");
        end_of_head = buffer_.find("\r\n\r\n");
    }
    auto reply = parse_head(std::string_view(buffer_).substr(0, end_of_head));
    buffer_.erase(0, end_of_head + 4);
    if (reply.headers.count("transfer-encoding") != 0) fail("chunked replies are not understood");

    if (method == "HEAD" || reply.status == 204 || reply.status == 304 || reply.status < 200) return reply;
    if (const auto length = reply.header("content-length"); !length.empty()) {
        const auto size = std::stoul(length);
        while (buffer_.size() < size) {
            if (!read_more()) fail("closed within a body");
        }
        reply.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return reply;
    }
    while (read_more()) continue;
    reply.body = std::exchange(buffer_, {});
    close();
    return reply;
}

bool HttpClient::closed_by_server() {
    return socket_ < 0 || (buffer_.empty() && !read_more());
}

void HttpClient::open() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) fail("no socket");
    const timeval limit{.tv_sec = timeout_.count() / 1000, .tv_usec = (timeout_.count() % 1000) * 1000};
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::inet_pton(AF_INET, from_.c_str(), &address.sin_addr) != 1 ||
        ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("not an address of this machine: " + from_);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int reason = errno;
        close();
        fail("connect to port " + std::to_string(port_) + ": " + std::strerror(reason));
    }
}

void HttpClient::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    buffer_.clear();
}

/// False when the server has closed the connection.
bool HttpClient::read_more() {
    std::array<char, 16384> chunk{};
    const auto received = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (received < 0 && errno == ECONNRESET) return false;
    if (received < 0) fail(std::string("receive: ") + std::strerror(errno));
    buffer_.append(chunk.data(), static_cast<std::size_t>(received));
    return received > 0;
}

/// Whether the server closed the connection while it was idle.
bool HttpClient::stale() const {
    char byte = 0;
    const auto received = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return received == 0 || (received < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

HttpReply http_get(int port, std::string_view target) {
    return HttpClient(port).request("GET", target);
}

}  // namespace support
