// One connection to Redis; connection.cpp is where <hiredis.h> ends. Owned by one thread. Nothing waits
// longer than its deadline, but the lookup of a name. After a RedisError the connection is good for nothing
// but destruction.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/redis/url.hpp"

struct redisContext;

namespace redis {

using Deadline = std::chrono::steady_clock::time_point;

class Connection {
public:
    /// Connects and logs in.
    Connection(const Url& url, Deadline deadline);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Runs a script that answers with integers. Its text is sent each time, which spares what to do when the
    /// server has forgotten it.
    std::vector<std::int64_t> run(const std::string& script, const std::string& key,
                                  const std::vector<std::string>& arguments, Deadline deadline);

private:
    struct Free {
        void operator()(redisContext* context) const;
    };

    std::unique_ptr<redisContext, Free> context_;
};

}  // namespace redis
