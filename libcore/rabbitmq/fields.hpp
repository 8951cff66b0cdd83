// Byte strings and field tables as rabbitmq-c takes them. They point to the caller's memory. Includes
// <amqp.h>.
#pragma once

#include <amqp.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rabbitmq {

inline amqp_bytes_t bytes(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};  // rabbitmq-c only reads it
}

inline std::string text(amqp_bytes_t bytes) {
    return {static_cast<const char*>(bytes.bytes), bytes.len};
}

inline amqp_table_entry_t field(const char* key, amqp_field_value_kind_t kind) {
    return {.key = amqp_cstring_bytes(key), .value = {.kind = static_cast<std::uint8_t>(kind), .value = {}}};
}

inline amqp_table_entry_t capability(const char* key) {
    auto entry = field(key, AMQP_FIELD_KIND_BOOLEAN);
    entry.value.value.boolean = true;
    return entry;
}

inline amqp_table_entry_t number(const char* key, std::int64_t value) {
    auto entry = field(key, AMQP_FIELD_KIND_I64);
    entry.value.value.i64 = value;
    return entry;
}

inline amqp_table_entry_t string(const char* key, std::string_view value) {
    auto entry = field(key, AMQP_FIELD_KIND_UTF8);
    entry.value.value.bytes = bytes(value);
    return entry;
}

inline amqp_table_entry_t nested(const char* key, amqp_table_t value) {
    auto entry = field(key, AMQP_FIELD_KIND_TABLE);
    entry.value.value.table = value;
    return entry;
}

template <std::size_t size>
amqp_table_t table(std::array<amqp_table_entry_t, size>& entries) {
    return {size, entries.data()};
}

}  // namespace rabbitmq
