// The private Redis of TEST_REDIS_URL. Keys are a test's own, so that tests can share it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/redis/url.hpp"

namespace support {

class RedisFixture {
public:
    RedisFixture();

    const redis::Url& url() const { return url_; }
    redis::Url url_through(std::uint16_t port) const;
    std::string text_through(std::uint16_t port) const;
    const std::string& key() const { return key_; }

    /// Runs one command on a connection of its own. Its answer as a text; throws when that is an error.
    std::string command(const std::vector<std::string>& words) const;

private:
    redis::Url url_;
    std::string key_;
};

}  // namespace support
