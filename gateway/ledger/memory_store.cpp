#include "gateway/ledger/memory_store.hpp"

#include <algorithm>
#include <iterator>

namespace longhaul::gateway {

// Finds its place anew at each step: the map may have changed in between.
class MemoryStore::Cursor final : public KeyCursor {
public:
    Cursor(MemoryStore& store, KeyRange range, KeyOrder order)
        : store_(store), range_(std::move(range)), order_(order) {
        read();
    }

    bool valid() const override { return valid_; }
    std::string_view key() const override { return key_; }
    std::string_view value() const override { return value_; }
    Result<void> status() const override { return {}; }

    void next() override {
        if (order_ == KeyOrder::ascending)
            range_.first = key_ + '\0';
        else
            range_.end = key_;
        read();
    }

private:
    void read() {
        valid_ = false;
        if (range_.first >= range_.end) return;
        const std::lock_guard lock(store_.mutex_);
        const auto begin = store_.rows_.lower_bound(range_.first);
        const auto end = store_.rows_.lower_bound(range_.end);
        if (begin == end) return;
        const auto row = order_ == KeyOrder::ascending ? begin : std::prev(end);
        key_ = row->first;
        value_ = row->second;
        valid_ = true;
    }

    MemoryStore& store_;
    KeyRange range_;
    const KeyOrder order_;
    bool valid_ = false;
    std::string key_;
    std::string value_;
};

Result<std::optional<std::string>> MemoryStore::get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto row = rows_.find(key);
    if (row == rows_.end()) return std::optional<std::string>{};
    return std::optional<std::string>{row->second};
}

Result<std::optional<std::string>> MemoryStore::get_persisted(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto row = persisted_.find(key);
    if (row == persisted_.end()) return std::optional<std::string>{};
    return std::optional<std::string>{row->second};
}

std::unique_ptr<KeyCursor> MemoryStore::walk(KeyRange range, KeyOrder order) {
    return std::make_unique<Cursor>(*this, std::move(range), order);
}

Result<void> MemoryStore::write(const KeyValueBatch& batch) {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter_write(); !entered) return entered;
    apply(batch, rows_);
    unflushed_.push_back(batch);
    return {};
}

Result<void> MemoryStore::flush() {
    const std::lock_guard lock(mutex_);
    if (auto entered = enter_write(); !entered) return entered;
    for (const KeyValueBatch& batch : unflushed_) apply(batch, persisted_);
    unflushed_.clear();
    return {};
}

void MemoryStore::crash(std::size_t kept) {
    const std::lock_guard lock(mutex_);
    const std::size_t survivors = std::min(kept, unflushed_.size());
    for (std::size_t i = 0; i < survivors; ++i) apply(unflushed_[i], persisted_);
    unflushed_.clear();
    rows_ = persisted_;
}

Result<void> MemoryStore::enter_write() {
    if (!write_error_.message.empty()) return write_error_;
    if (writes_until_failure_ > 0 && --writes_until_failure_ == 0) return nth_error_;
    return {};
}

void MemoryStore::fail_nth_write(std::uint64_t nth, Error error) {
    const std::lock_guard lock(mutex_);
    writes_until_failure_ = nth;
    nth_error_ = std::move(error);
}

void MemoryStore::fail_writes(Error error) {
    const std::lock_guard lock(mutex_);
    write_error_ = std::move(error);
}

std::size_t MemoryStore::unflushed() const {
    const std::lock_guard lock(mutex_);
    return unflushed_.size();
}

void MemoryStore::apply(const KeyValueBatch& batch, Rows& rows) {
    for (const KeyValueBatch::Operation& operation : batch.operations()) {
        if (operation.value)
            rows.insert_or_assign(operation.key, *operation.value);
        else
            rows.erase(operation.key);
    }
}

}  // namespace longhaul::gateway
