// Takes ended invocations out of the view: row, history, index rows, files, and the key once it has
// expired. What stays is a `g` row, so that a reader hears "gone" and not "never was".
//
// One Purge fills one batch. Not thread-safe.
#pragma once

#include "gateway/ledger/key_value_store.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <string>
#include <unordered_set>
#include <vector>

namespace longhaul::gateway {

class Purge {
public:
    // Both outlive the Purge.
    Purge(KeyValueStore& store, KeyValueBatch& batch) : store_(store), batch_(batch) {}

    // Takes out `id`, if it has ended. An idempotency key that has not expired at `as_of` stays.
    // The `g` row may be dropped once retention has come to `gone_until`.
    [[nodiscard]] Result<void> erase(const InvocationId& id, TimePoint as_of, TimePoint gone_until);

    // Drops `g` rows and left keys whose time is over at `now`, at most `max`; says whether there
    // are more.
    [[nodiscard]] Result<bool> sweep(TimePoint now, std::uint32_t max);

    // How many erase() has taken out.
    [[nodiscard]] std::uint32_t count() const { return count_; }
    // Body-store files that nobody refers to once the batch is written.
    [[nodiscard]] std::vector<std::string> take_freed_files() { return std::move(freed_files_); }

private:
    [[nodiscard]] Result<void> erase_history(const InvocationId& id);
    void erase_index_rows(const Invocation& invocation);
    [[nodiscard]] Result<void> erase_file(const std::string& file, const InvocationId& id);
    [[nodiscard]] Result<void> erase_retries(const Invocation& invocation);
    [[nodiscard]] Result<void> erase_key(const Invocation& invocation, TimePoint as_of);
    [[nodiscard]] Result<bool> is_expired(std::string_view key, TimePoint now);
    void expire_later(const std::string& key, TimePoint when);

    KeyValueStore& store_;
    KeyValueBatch& batch_;
    std::uint32_t count_ = 0;
    std::unordered_set<std::string> erased_file_rows_;
    std::vector<std::string> freed_files_;
};

}  // namespace longhaul::gateway
