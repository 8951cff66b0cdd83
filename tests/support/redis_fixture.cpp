#include "tests/support/redis_fixture.hpp"

#include <hiredis.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace support {

namespace {

redis::Url server() {
    const char* text = std::getenv("TEST_REDIS_URL");
    if (text == nullptr)
        throw std::runtime_error("TEST_REDIS_URL is not set: this test needs a private Redis");
    const auto url = redis::parse_url(text);
    if (!url) throw std::runtime_error("TEST_REDIS_URL is no Redis URL");
    return *url;
}

std::string fresh_key() {
    static std::atomic<int> count = 0;
    return "test." + std::to_string(::getpid()) + "." + std::to_string(++count);
}

}  // namespace

RedisFixture::RedisFixture() : url_(server()), key_(fresh_key()) {}

redis::Url RedisFixture::url_through(std::uint16_t port) const {
    auto url = url_;
    url.host = "127.0.0.1";
    url.port = port;
    return url;
}

std::string RedisFixture::text_through(std::uint16_t port) const {
    return "redis://127.0.0.1:" + std::to_string(port);
}

std::string RedisFixture::command(const std::vector<std::string>& words) const {
    const std::unique_ptr<redisContext, decltype(&::redisFree)> context(
        ::redisConnect(url_.host.c_str(), url_.port), ::redisFree);
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    const std::unique_ptr<void, decltype(&::freeReplyObject)> reply(
        ::redisCommandArgv(context.get(), static_cast<int>(words.size()), texts.data(), sizes.data()),
        ::freeReplyObject);
    if (!reply) throw std::runtime_error("the Redis of TEST_REDIS_URL does not answer");
    const auto& answer = *static_cast<redisReply*>(reply.get());
    if (answer.type == REDIS_REPLY_ERROR) throw std::runtime_error(std::string(answer.str, answer.len));
    if (answer.type == REDIS_REPLY_INTEGER) return std::to_string(answer.integer);
    return answer.str == nullptr ? "" : std::string(answer.str, answer.len);
}

}  // namespace support
