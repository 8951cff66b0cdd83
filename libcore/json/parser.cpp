#include "libcore/json/parser.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <string>
#include <utility>

namespace json {

namespace {

// RapidJSON's own conversion of numbers and its recursion can be crashed from outside.
constexpr unsigned flags = rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag |
                           rapidjson::kParseValidateEncodingFlag;

/// RapidJSON validates raw bytes, but turns the escape of a lone low surrogate into bytes that are not UTF-8.
bool has_lone_surrogate(std::string_view text) {
    for (auto at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1)) {
        if (static_cast<unsigned char>(text[at + 1]) >= 0xA0) return true;
    }
    return false;
}

/// Receives RapidJSON's events and builds the tree. A false stops the parser; `error` then says why.
class Builder {
public:
    explicit Builder(const Limits& limits) : limits_(limits) {}

    Value take_document() { return std::move(document_); }
    const std::optional<domain::Error>& error() const { return error_; }

    /// Where the parser is: "items[2].name".
    std::string path() const {
        std::string text;
        for (const auto& frame : frames_) {
            if (!frame.is_object) {
                text.append("[").append(std::to_string(frame.array.size())).append("]");
            } else {
                text.append(text.empty() ? "" : ".").append(frame.key);
            }
        }
        return text;
    }

    bool Null() { return add(Value()); }
    bool Bool(bool boolean) { return add(Value(boolean)); }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        return add(Value(Value::Number{std::string(text, length)}));
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        std::string string(text, length);
        return acceptable(string) && add(Value(std::move(string)));
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        auto& frame = frames_.back();
        frame.key.assign(text, length);
        if (!acceptable(frame.key)) return false;
        const auto same = [&](const Member& member) { return member.key == frame.key; };
        if (std::none_of(frame.object.begin(), frame.object.end(), same)) return true;
        return refuse("duplicate_key", path(), "is given more than once");
    }
    bool StartObject() { return open(true); }
    bool StartArray() { return open(false); }
    bool EndObject(rapidjson::SizeType) {
        return close([](Frame& frame) { return Value(std::move(frame.object)); });
    }
    bool EndArray(rapidjson::SizeType) {
        return close([](Frame& frame) { return Value(std::move(frame.array)); });
    }

    // Never called: numbers come as text.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }

private:
    struct Frame {
        bool is_object = false;
        std::string key;  ///< of the member being read
        Value::Object object;
        Value::Array array;
    };

    bool open(bool is_object) {
        if (frames_.size() == limits_.depth) return refuse("limit_exceeded", {}, "is nested too deeply");
        frames_.push_back({.is_object = is_object, .key = {}, .object = {}, .array = {}});
        return true;
    }

    template <class Finish>
    bool close(Finish finish) {
        Value value = finish(frames_.back());
        frames_.pop_back();
        return add(std::move(value));
    }

    bool add(Value value) {
        if (frames_.empty()) {
            document_ = std::move(value);
            return true;
        }
        if (++values_ > limits_.values)
            return refuse("limit_exceeded", {}, "has too many members or elements");
        auto& frame = frames_.back();
        if (frame.is_object) {
            frame.object.push_back({std::exchange(frame.key, {}), std::move(value)});
        } else {
            frame.array.push_back(std::move(value));
        }
        return true;
    }

    bool acceptable(std::string_view text) {
        if (has_lone_surrogate(text))
            return refuse("malformed_json", path(), "holds half of a surrogate pair");
        if (text.find('\0') != std::string_view::npos) {
            return refuse("nul_character", path(), "must not contain the character U+0000");
        }
        return true;
    }

    bool refuse(std::string code, std::string field, std::string text) {
        error_ = domain::Error{std::move(code), std::move(field), std::move(text)};
        return false;
    }

    const Limits& limits_;
    std::vector<Frame> frames_;
    std::size_t values_ = 0;
    Value document_;
    std::optional<domain::Error> error_;
};

domain::Error malformed(const std::string& text) {
    return {"malformed_json", "", text};
}

}  // namespace

domain::Result<Value> parse(std::string_view text, const Limits& limits) {
    if (text.size() > limits.bytes) return domain::Error{"limit_exceeded", "", "is too large"};
    // RapidJSON takes a NUL for the end of the text and would ignore what follows.
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        return malformed("Invalid character at offset " + std::to_string(nul) + ".");
    }
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    Builder builder(limits);
    const auto result = reader.Parse<flags>(stream, builder);
    if (builder.error()) return *builder.error();
    if (result.Code() == rapidjson::kParseErrorStringInvalidEncoding)
        return domain::Error{"malformed_json", builder.path(), "is not valid UTF-8"};
    if (result.IsError()) {
        return malformed(std::string(rapidjson::GetParseError_En(result.Code())) + " (offset " +
                         std::to_string(result.Offset()) + ")");
    }
    return builder.take_document();
}

}  // namespace json
