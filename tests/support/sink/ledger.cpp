#include "tests/support/sink/ledger.hpp"

#include <algorithm>

namespace sink {

void Ledger::record(const Entry& entry) {
    const char* text = keep(entry);
    auto& key = keys_[std::string_view(text, entry.key.size())];
    rows_.push_back({entry.received_at, text, static_cast<std::uint32_t>(entry.key.size()),
                     static_cast<std::uint32_t>(entry.email.size()),
                     static_cast<std::uint32_t>(entry.message.size()),
                     static_cast<std::uint16_t>(entry.client.size()), key.last,
                     static_cast<std::uint16_t>(entry.status), entry.delivered, entry.repeat});
    key.last = static_cast<Position>(rows_.size());
    if (entry.delivered && key.delivery == 0) key.delivery = key.last;
    ++by_status_[entry.status];
    delivered_ += entry.delivered;
    repeats_ += entry.repeat;
}

Summary Ledger::summary() const {
    Summary summary{rows_.size(), delivered_, keys_.size() - keys_.count(""), repeats_, by_status_, {}, {}};
    if (!rows_.empty()) {
        summary.first_at = rows_.front().received_at;
        summary.last_at = rows_.back().received_at;
    }
    return summary;
}

std::vector<Entry> Ledger::entries(std::uint64_t after, std::size_t limit) const {
    std::vector<Entry> page;
    for (auto position = after; position < rows_.size() && page.size() < limit; ++position) {
        page.push_back(entry(static_cast<Position>(position + 1)));
    }
    return page;
}

std::vector<Entry> Ledger::by_key(std::string_view key) const {
    std::vector<Entry> found;
    const auto known = keys_.find(key);
    if (known == keys_.end()) return found;
    for (auto position = known->second.last; position != 0; position = rows_[position - 1].previous) {
        found.push_back(entry(position));
    }
    std::reverse(found.begin(), found.end());
    return found;
}

std::optional<Entry> Ledger::delivery(std::string_view key) const {
    const auto known = keys_.find(key);
    if (known == keys_.end() || known->second.delivery == 0) return std::nullopt;
    return entry(known->second.delivery);
}

const char* Ledger::keep(const Entry& entry) {
    constexpr std::size_t chunk_size = 1 << 20;
    const auto size = entry.key.size() + entry.email.size() + entry.message.size() + entry.client.size();
    if (size > free_size_) {
        free_size_ = std::max(chunk_size, size);
        free_ = texts_.emplace_back(std::make_unique_for_overwrite<char[]>(free_size_)).get();
    }
    const char* text = free_;
    for (const auto* part : {&entry.key, &entry.email, &entry.message, &entry.client}) {
        free_ = std::copy(part->begin(), part->end(), free_);
    }
    free_size_ -= size;
    return text;
}

Entry Ledger::entry(Position position) const {
    const auto& row = rows_[position - 1];
    const char* email = row.text + row.key_size;
    const char* message = email + row.email_size;
    return {position,
            row.received_at,
            {row.text, row.key_size},
            {email, row.email_size},
            {message, row.message_size},
            {message + row.message_size, row.client_size},
            row.status,
            row.delivered,
            row.repeat};
}

}  // namespace sink
