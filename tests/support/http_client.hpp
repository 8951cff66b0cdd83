// A small blocking HTTP/1.1 client on one raw socket: able to send any bytes, also those no library would.
// One connection, kept alive between requests and reopened when the server closed it. Not thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
    int status = 0;
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;

    /// The header's value, or "" when it is absent.
    std::string header(const std::string& lower_case_name) const;
};

/// Every function throws std::runtime_error when the server does not answer within the time-out, or not in
/// HTTP.
class HttpClient {
public:
    /// `from` is an address of this machine.
    explicit HttpClient(int port, std::chrono::milliseconds timeout = std::chrono::seconds(30),
                        std::string from = "127.0.0.1");
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Sends a well-formed request with Host and Content-Length and reads the reply.
    HttpReply request(std::string_view method, std::string_view target, std::string_view body = {},
                      const HttpHeaders& headers = {});

    /// Sends these bytes as they are; none only opens the connection.
    void send(std::string_view bytes);

    /// Tells the server that no more bytes will come; replies can still be received.
    void finish_sending() const;

    /// Reads one reply to a request of the given method.
    HttpReply receive(std::string_view method = "GET");

    /// True when the server closes the connection, without another byte, before the time-out.
    bool closed_by_server();

private:
    void open();
    void close();
    bool read_more();
    bool stale() const;

    int port_;
    std::chrono::milliseconds timeout_;
    std::string from_;
    int socket_ = -1;
    std::string buffer_;
};

/// One GET on a connection of its own.
HttpReply http_get(int port, std::string_view target);

}  // namespace support
