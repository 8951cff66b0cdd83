#include "libcore/redis/connection.hpp"

#include <hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "libcore/redis/error.hpp"

namespace redis {

namespace {

struct FreeReply {
    void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
using Words = std::vector<std::string>;

[[noreturn]] void fail(const std::string& doing, const std::string& reason) {
    throw RedisError(doing + ": " + reason);
}

void wait_for(redisContext* context, short events, Deadline deadline, const char* doing) {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) fail(doing, "no answer in time");
        pollfd socket{.fd = context->fd, .events = events, .revents = 0};
        const int ready = ::poll(&socket, 1, static_cast<int>(left.count()));
        if (ready > 0) return;
        if (ready < 0 && errno != EINTR) fail(doing, std::strerror(errno));
    }
}

void check(const redisContext* context, const char* doing) {
    if (context->err != 0) fail(doing, context->errstr);
}

// The library's own way would have the process killed when the other side has closed (SIGPIPE).
void send_all(redisContext* context, const Words& words, Deadline deadline, const char* doing) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    char* bytes = nullptr;
    const int size =
        ::redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), texts.data(), sizes.data());
    if (size < 0) fail(doing, "out of memory");
    const std::unique_ptr<char, decltype(&::redisFreeCommand)> owner(bytes, ::redisFreeCommand);
    for (std::string_view rest(bytes, static_cast<std::size_t>(size)); !rest.empty();) {
        wait_for(context, POLLOUT, deadline, doing);
        const auto sent = ::send(context->fd, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) fail(doing, std::strerror(errno));
        if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// The library's own calls have a time limit for each read only.
Reply call(redisContext* context, const Words& words, Deadline deadline, const char* doing) {
    send_all(context, words, deadline, doing);
    for (;;) {
        void* reply = nullptr;
        ::redisGetReplyFromReader(context, &reply);
        check(context, doing);
        if (reply != nullptr) return Reply(static_cast<redisReply*>(reply));
        wait_for(context, POLLIN, deadline, doing);
        ::redisBufferRead(context);
        check(context, doing);
    }
}

void expect_no_error(const redisReply& reply, const char* doing) {
    if (reply.type == REDIS_REPLY_ERROR) fail(doing, std::string(reply.str, reply.len));
}

}  // namespace

void Connection::Free::operator()(redisContext* context) const {
    ::redisFree(context);
}

Connection::Connection(const Url& url, Deadline deadline)
    : context_(::redisConnectNonBlock(url.host.c_str(), url.port)) {
    constexpr const char* doing = "connecting to Redis";
    redisContext* context = context_.get();
    if (context == nullptr) fail(doing, "out of memory");
    check(context, doing);
    wait_for(context, POLLOUT, deadline, doing);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fail(doing, std::strerror(error));

    if (!url.password.empty()) {
        Words words{"auth"};
        if (!url.user.empty()) words.push_back(url.user);
        words.push_back(url.password);
        expect_no_error(*call(context, words, deadline, "logging in to Redis"), "logging in to Redis");
    }
    if (url.database != 0) {
        const Words words{"select", std::to_string(url.database)};
        expect_no_error(*call(context, words, deadline, "choosing a database of Redis"),
                        "choosing a database of Redis");
    }
}

Connection::~Connection() = default;

std::vector<std::int64_t> Connection::run(const std::string& script, const std::string& key,
                                          const Words& arguments, Deadline deadline) {
    constexpr const char* doing = "running a script in Redis";
    Words words{"eval", script, "1", key};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const Reply reply = call(context_.get(), words, deadline, doing);
    expect_no_error(*reply, doing);
    if (reply->type != REDIS_REPLY_ARRAY) fail(doing, "an answer of an unexpected kind");
    std::vector<std::int64_t> integers;
    for (std::size_t i = 0; i < reply->elements; ++i) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER) fail(doing, "an answer of an unexpected kind");
        integers.push_back(reply->element[i]->integer);
    }
    return integers;
}

}  // namespace redis
