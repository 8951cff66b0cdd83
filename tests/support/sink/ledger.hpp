// Every request the sink received, compactly: two million take about half a gigabyte. Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libcore/domain/time.hpp"

namespace sink {

struct Entry {
    std::uint64_t sequence = 0;  ///< from 1, without holes
    domain::Instant received_at{};
    std::string key;
    std::string email;
    std::string message;
    std::string client;      ///< the bearer token it showed, where none is asked for
    int status = 0;          ///< 0 when it was left unanswered
    bool delivered = false;  ///< this request made an e-mail go out
    bool repeat = false;     ///< an earlier request with the same key had done so
};

struct Summary {
    std::uint64_t requests = 0;
    std::uint64_t delivered = 0;
    std::uint64_t distinct_keys = 0;
    std::uint64_t repeats = 0;
    std::map<int, std::uint64_t> by_status;
    std::optional<domain::Instant> first_at;
    std::optional<domain::Instant> last_at;
};

class Ledger {
public:
    explicit Ledger(std::size_t capacity) : capacity_(capacity) {}

    bool full() const { return rows_.size() >= capacity_; }
    /// The sequence number is given here.
    void record(const Entry& entry);
    void clear() { *this = Ledger(capacity_); }

    Summary summary() const;
    /// Those with a sequence number above `after`, oldest first.
    std::vector<Entry> entries(std::uint64_t after, std::size_t limit) const;
    /// Oldest first.
    std::vector<Entry> by_key(std::string_view key) const;
    /// The request that delivered this key.
    std::optional<Entry> delivery(std::string_view key) const;

private:
    using Position = std::uint32_t;  ///< a sequence number; 0 is none

    struct Row {
        domain::Instant received_at;
        const char* text;  ///< key, e-mail, message and client, one behind the other
        std::uint32_t key_size;
        std::uint32_t email_size;
        std::uint32_t message_size;
        std::uint16_t client_size;
        Position previous;  ///< with the same key
        std::uint16_t status;
        bool delivered;
        bool repeat;
    };
    struct Key {
        Position last = 0;
        Position delivery = 0;
    };

    const char* keep(const Entry& entry);
    Entry entry(Position position) const;

    std::size_t capacity_;
    std::deque<Row> rows_;
    std::vector<std::unique_ptr<char[]>> texts_;
    char* free_ = nullptr;
    std::size_t free_size_ = 0;
    std::unordered_map<std::string_view, Key> keys_;
    std::map<int, std::uint64_t> by_status_;
    std::uint64_t delivered_ = 0;
    std::uint64_t repeats_ = 0;
};

}  // namespace sink
