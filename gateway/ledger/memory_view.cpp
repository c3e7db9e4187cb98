#include "gateway/ledger/memory_view.hpp"

#include "gateway/ledger/store_view.hpp"

namespace longhaul::gateway {
namespace {

// A view owns its store; this one borrows it.
class BorrowedStore final : public KeyValueStore {
public:
    explicit BorrowedStore(KeyValueStore& store) : store_(store) {}

    Result<std::optional<std::string>> get(std::string_view key) override {
        return store_.get(key);
    }
    Result<std::optional<std::string>> get_persisted(std::string_view key) override {
        return store_.get_persisted(key);
    }
    std::unique_ptr<KeyCursor> walk(KeyRange range, KeyOrder order) override {
        return store_.walk(std::move(range), order);
    }
    Result<void> write(const KeyValueBatch& batch) override { return store_.write(batch); }
    Result<void> flush() override { return store_.flush(); }

private:
    KeyValueStore& store_;
};

}  // namespace

Result<std::unique_ptr<View>> MemoryView::open(MemoryStore& store, const ViewOptions& options) {
    return StoreView::open(std::make_unique<BorrowedStore>(store), options);
}

}  // namespace longhaul::gateway
