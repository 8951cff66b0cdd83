// What goes wrong with Redis. Its text never repeats a password.
#pragma once

#include <stdexcept>

namespace redis {

class RedisError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace redis
