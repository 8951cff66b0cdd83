// What every fuzz target shares. A target is LLVMFuzzerTestOneInput: it gets bytes that nobody vouches for,
// and states what must hold whatever they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace fuzz {

/// Ends the process, which libFuzzer takes for a crash and keeps the input of.
inline void must_hold(bool holds, const char* what, const char* file, int line) {
    if (holds) return;
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Every byte as an escape.
inline std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        result.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
    return result;
}

}  // namespace fuzz

#define MUST_HOLD(...) fuzz::must_hold(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
