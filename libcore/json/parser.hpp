// The one front door for JSON that others wrote: clients' bodies, queue messages, providers' answers.
#pragma once

#include <cstddef>
#include <string_view>

#include "libcore/domain/result.hpp"
#include "libcore/json/value.hpp"

namespace json {

struct Limits {
    std::size_t bytes = 64 * 1024;
    std::size_t depth = 32;
    std::size_t values = 512;  ///< members and elements together, at any depth
};

/// The document, or the first thing wrong with it: `malformed_json` (also for invalid UTF-8, a byte order
/// mark, lone surrogates and text after the end), `limit_exceeded`, `duplicate_key` and `nul_character`
/// (PostgreSQL's texts cannot hold U+0000). Names the field where text is at fault.
domain::Result<Value> parse(std::string_view text, const Limits& limits = {});

}  // namespace json
