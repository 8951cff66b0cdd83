#include "libcore/redis/shared_slots.hpp"

#include <cmath>

#include "libcore/redis/error.hpp"

namespace redis {

namespace {

using namespace std::chrono_literals;

// Long past the last slot it speaks of.
constexpr auto forget_after = 60'000ms;

// In microseconds of Redis' clock; `%.0f` because Lua shortens large numbers. The key holds the moment of the
// next slot. One that lies further ahead than any lease can have put it is from before the clock was set
// back.
const std::string script = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, horizon, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if first > now + horizon + interval + 1000000 then first = now end
local count = 0
if first <= now + horizon then
  count = math.min(wanted, math.floor((now + horizon - first) / interval) + 1)
end
if count > 0 then
  local next = string.format('%.0f', math.ceil(first + count * interval))
  redis.call('SET', KEYS[1], next, 'PX', ARGV[4])
end
return {count, first - now}
)lua";

}  // namespace

domain::Slots lease_slots(Connection& connection, const SlotRequest& request, Deadline deadline) {
    const double interval = std::chrono::duration<double, std::micro>(request.interval).count();
    const auto horizon = std::chrono::microseconds(request.horizon).count();
    const auto lifetime = forget_after + request.horizon;
    const auto answer = connection.run(script, request.key,
                                       {std::to_string(interval), std::to_string(horizon),
                                        std::to_string(request.wanted), std::to_string(lifetime.count())},
                                       deadline);
    if (answer.size() != 2 || answer[0] < 0 || answer[0] > request.wanted || answer[1] < 0) {
        throw RedisError("leasing slots: an answer that makes no sense");
    }
    return {.first = std::chrono::steady_clock::now() + std::chrono::microseconds(answer[1]),
            .interval = request.interval,
            .count = static_cast<int>(answer[0])};
}

}  // namespace redis
