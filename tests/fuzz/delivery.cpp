// The hint of the queue: what is accepted is written as an equal hint.

#include "libcore/json/delivery.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto delivery = json::decode_delivery(fuzz::text_of(data, size));
    if (!delivery) {
        MUST_HOLD(!delivery.errors().empty());
        return 0;
    }
    MUST_HOLD(delivery->attempt >= 0);
    MUST_HOLD(delivery->delivery_date.ok());
    MUST_HOLD(delivery->trace.size() <= 128);
    const auto text = json::encode(*delivery);
    const auto again = json::decode_delivery(text);
    MUST_HOLD(again);
    MUST_HOLD(*again == *delivery);
    MUST_HOLD(json::encode(*again) == text);
    return 0;
}
