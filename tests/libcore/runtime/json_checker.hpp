// Whether a text is one strict JSON value in valid UTF-8. For tests: RapidJSON's validating iterative parser.
#pragma once

#include <rapidjson/reader.h>

#include <string>

namespace test {

inline bool is_strict_json(const std::string& text) {
    rapidjson::Reader reader;
    rapidjson::StringStream stream(text.c_str());
    rapidjson::BaseReaderHandler<> ignore;
    constexpr unsigned flags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag |
                               rapidjson::kParseNumbersAsStringsFlag;
    return !reader.Parse<flags>(stream, ignore).IsError();
}

}  // namespace test
