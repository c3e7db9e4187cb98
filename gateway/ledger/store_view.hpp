// The View over any key-value store: feeder, reader and purge put together.
//
// Invariants: those of view.hpp. apply() and purge_ended() exclude each other with a mutex, as a
// purge reads what it erases; readers take no lock.
#pragma once

#include "gateway/ledger/view_feeder.hpp"
#include "gateway/ledger/view_reader.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <span>

namespace longhaul::gateway {

class StoreView final : public View {
public:
    // Errc::unsupported if a newer longhaul laid the store out.
    [[nodiscard]] static Result<std::unique_ptr<View>> open(std::unique_ptr<KeyValueStore> store,
                                                            const ViewOptions& options);

    // Use open().
    StoreView(std::unique_ptr<KeyValueStore> store, const ViewOptions& options,
              port::Position applied, std::uint64_t ended_count);

    Result<void> apply(const std::vector<PositionedRecord>& records) override;
    port::Position applied() const override { return applied_; }
    Result<port::Position> persisted() override;
    Result<void> flush() override { return store_->flush(); }
    Result<ViewSnapshot> load() override;
    Result<Invocation> get(const InvocationId& id) override { return reader_.get(id); }
    Result<std::vector<HistoryEntry>> history(const InvocationId& id) override {
        return reader_.history(id);
    }
    Result<std::vector<Invocation>> list_ended(const ListQuery& query) override {
        return reader_.list_ended(query);
    }
    Result<std::uint64_t> count_ended(const ListQuery& query) override {
        return reader_.count_ended(query);
    }
    Result<std::optional<StoredKey>> find_key(const TenantName& tenant,
                                              const FunctionName& function, const std::string& key,
                                              TimePoint now) override {
        return reader_.find_key(tenant, function, key, now);
    }
    Result<Purged> purge_ended(const PurgeOrder& order) override;
    std::vector<std::string> take_freed_files() override;
    std::uint64_t ended_count() const override { return ended_count_; }
    Result<std::optional<InvocationId>> retried_as(const InvocationId& id) override {
        return reader_.retried_as(id);
    }
    Result<std::vector<std::string>> files() override { return reader_.files(); }
    Result<std::vector<StoredFunction>> versions(const TenantName& tenant,
                                                 const FunctionName& function) override {
        return reader_.versions(tenant, function);
    }

private:
    // Those to go, and at least one more where there are more.
    [[nodiscard]] Result<std::vector<InvocationId>> to_purge(const PurgeOrder& order);
    [[nodiscard]] Result<void> purge_some(std::span<const InvocationId> ids, TimePoint before,
                                          Purged& purged);

    // Constant after construction.
    const std::unique_ptr<KeyValueStore> store_;
    const ViewOptions options_;

    ViewReader reader_;

    // Guarded by write_mutex_.
    std::mutex write_mutex_;
    ViewFeeder feeder_;

    // Written under write_mutex_, read by all.
    std::atomic<port::Position> applied_;
    std::atomic<std::uint64_t> ended_count_;

    // Held for no more than a swap.
    std::mutex freed_mutex_;
    std::vector<std::string> freed_;
};

}  // namespace longhaul::gateway
