// The provider's answer: what is read of it does not depend on the pieces in which it arrives, and memory
// stays bounded.

#include <algorithm>
#include <cstring>

#include "libcore/http/response_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using Progress = http::ResponseReader::Progress;

struct Read {
    Progress progress = Progress::incomplete;
    std::size_t taken = 0;
    http::Response response;
};

/// The bytes in pieces of at most `piece`, then the end of the stream.
Read read(std::string_view bytes, std::size_t piece) {
    http::ResponseReader reader;
    Read result;
    while (result.progress == Progress::incomplete && result.taken < bytes.size()) {
        const auto space = reader.space();
        const auto count = std::min({piece, space.size(), bytes.size() - result.taken});
        MUST_HOLD(count > 0);
        std::memcpy(space.data(), bytes.data() + result.taken, count);
        result.taken += count;
        result.progress = reader.received(count);
    }
    if (result.progress == Progress::incomplete) result.progress = reader.received_eof();
    if (result.progress == Progress::complete) {
        result.response = reader.response();
        if (reader.reusable()) MUST_HOLD(result.taken <= bytes.size());
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    const auto whole = read(bytes, 4096);
    const auto pieces = read(bytes, 1 + size % 7);
    // An answer that breaks off within its header may or may not be seen to be malformed; it is no answer
    // either way.
    MUST_HOLD((whole.progress == Progress::complete) == (pieces.progress == Progress::complete));
    if (whole.progress != Progress::complete) return 0;

    const auto& response = whole.response;
    MUST_HOLD(response.status >= 200 || response.status < 100);  // an interim answer is not the answer
    MUST_HOLD(response.body.size() <= http::CutBody::kept);
    MUST_HOLD(response.status == pieces.response.status && response.body == pieces.response.body);
    MUST_HOLD(response.retry_after.has_value() == pieces.response.retry_after.has_value());
    if (response.retry_after) {
        MUST_HOLD(*response.retry_after >= std::chrono::seconds(0));
        MUST_HOLD(*response.retry_after <= std::chrono::hours(24));
    }
    return 0;
}
