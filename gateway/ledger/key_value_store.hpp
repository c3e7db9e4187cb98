// What the view needs of a store: ordered keys, atomic batches, and a line between what is written
// and what a power cut cannot take back.
//
// Two of them exist: RocksDB (rocks_view.cpp) and memory (memory_store.hpp). All calls block. Reads
// may come from any thread, at the same time as one writer.
//
// Invariants:
//   (1) A batch is visible, and survives, as a whole or not at all.
//   (2) What survives a crash is a prefix of the batches, in the order of write().
#pragma once

#include "longhaul/base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::gateway {

// Puts and erasures, in order.
class KeyValueBatch {
public:
    struct Operation {
        std::string key;
        std::optional<std::string> value;  // nothing: erase the key
    };

    void put(std::string key, std::string value) {
        operations_.push_back({std::move(key), std::move(value)});
    }
    void erase(std::string key) { operations_.push_back({std::move(key), std::nullopt}); }

    [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }

private:
    std::vector<Operation> operations_;
};

// The keys in [first, end).
struct KeyRange {
    std::string first;
    std::string end;
};

enum class KeyOrder : bool { ascending, descending };

// One walk through a range, by one thread. Keys that are written or erased meanwhile may be seen or
// not. What key() and value() show is good until next().
class KeyCursor {
public:
    virtual ~KeyCursor() = default;

    // False at the end, and after an error, which status() tells.
    [[nodiscard]] virtual bool valid() const = 0;
    [[nodiscard]] virtual std::string_view key() const = 0;
    [[nodiscard]] virtual std::string_view value() const = 0;
    virtual void next() = 0;
    [[nodiscard]] virtual Result<void> status() const = 0;
};

class KeyValueStore {
public:
    virtual ~KeyValueStore() = default;

    [[nodiscard]] virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    // As a restart after a power cut would find it now.
    [[nodiscard]] virtual Result<std::optional<std::string>> get_persisted(
        std::string_view key) = 0;
    // Stands on the first key of the range in that order.
    [[nodiscard]] virtual std::unique_ptr<KeyCursor> walk(KeyRange range, KeyOrder order) = 0;
    [[nodiscard]] virtual Result<void> write(const KeyValueBatch& batch) = 0;
    // Returns when everything written is persistent.
    [[nodiscard]] virtual Result<void> flush() = 0;
};

}  // namespace longhaul::gateway
