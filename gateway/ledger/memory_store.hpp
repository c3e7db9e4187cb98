// A key-value store in memory, for the simulator and for tests, with a disk that can lose its tail.
//
// It outlives the view that uses it, as a disk outlives a process. Guarded by a mutex, so that it
// may be used as RocksDB is.
#pragma once

#include "gateway/ledger/key_value_store.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>

namespace longhaul::gateway {

class MemoryStore final : public KeyValueStore {
public:
    Result<std::optional<std::string>> get(std::string_view key) override;
    Result<std::optional<std::string>> get_persisted(std::string_view key) override;
    std::unique_ptr<KeyCursor> walk(KeyRange range, KeyOrder order) override;
    Result<void> write(const KeyValueBatch& batch) override;
    Result<void> flush() override;

    // A power cut: of the batches since the last flush only the first `kept` are still there.
    // REQUIRES: no view uses the store.
    void crash(std::size_t kept);

    // From now on every write and flush answers this error; Error of an empty message ends it.
    void fail_writes(Error error);

    // The n-th (1, 2, …) write or flush from now fails, once, and has no effect.
    void fail_nth_write(std::uint64_t nth, Error error);

    // Batches that a crash may take back.
    [[nodiscard]] std::size_t unflushed() const;

private:
    using Rows = std::map<std::string, std::string, std::less<>>;
    class Cursor;

    [[nodiscard]] Result<void> enter_write();
    static void apply(const KeyValueBatch& batch, Rows& rows);

    // Guarded by mutex_.
    mutable std::mutex mutex_;
    Rows rows_;
    Rows persisted_;
    std::vector<KeyValueBatch> unflushed_;
    Error write_error_{};
    std::uint64_t writes_until_failure_ = 0;  // 0 = none is to fail
    Error nth_error_{};
};

}  // namespace longhaul::gateway
