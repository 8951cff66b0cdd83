// A connection for tests: sends one request and runs its io_context until the answer is here.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "libcore/http/connection.hpp"

class Client {
public:
    explicit Client(const std::string& url, const std::string& ca_file = {})
        : origin_(std::make_shared<http::Origin>(io_.get_executor(), http::parse_url(url).value(), ca_file)),
          connection_(origin_) {}

    http::Answer send(http::Request request, std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        std::optional<http::Answer> answer;
        boost::asio::co_spawn(io_, connection_.send(std::move(request), deadline),
                              [&](std::exception_ptr error, http::Answer sent) {
                                  if (error) std::rethrow_exception(error);
                                  answer = std::move(sent);
                              });
        io_.restart();
        while (!answer) io_.run_one();
        return *answer;
    }

    http::Answer post(const std::string& key = "key",
                      std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
        http::Request request;
        request.target = "/send-email";
        request.body = R"({"email":"a@example.org","message":"Hey"})";
        request.idempotency_key = key;
        return send(request, timeout);
    }

private:
    boost::asio::io_context io_{1};
    std::shared_ptr<http::Origin> origin_;
    http::Connection connection_;
};

/// The alternative an answer must have; a test fails with what it has instead.
inline http::Response response(const http::Answer& answer) {
    if (const auto* failure = std::get_if<http::Failure>(&answer)) throw std::runtime_error(failure->text);
    return std::get<http::Response>(answer);
}

inline http::Failure failure(const http::Answer& answer) {
    if (const auto* response = std::get_if<http::Response>(&answer)) {
        throw std::runtime_error("a response: " + std::to_string(response->status));
    }
    return std::get<http::Failure>(answer);
}
