// Turns records into rows: the writing half of the view.
//
// An invocation that several records of a batch change is read once and written once. Not
// thread-safe: one caller at a time (store_view.hpp sees to it).
//
// Invariants:
//   (1) A batch carries the position of its last record.
//   (2) Between batches every live invocation is one `l` row, every ended one an `i` row with its
//       index rows, and never both.
#pragma once

#include "gateway/ledger/key_value_store.hpp"
#include "gateway/ledger/view.hpp"
#include "gateway/ledger/view_options.hpp"

#include <span>
#include <unordered_map>
#include <vector>

namespace longhaul::gateway {

class ViewFeeder {
public:
    ViewFeeder(KeyValueStore& store, const ViewOptions& options)
        : store_(store), options_(options) {}

    struct Applied {
        std::size_t records = 0;
        std::uint64_t ended_count = 0;     // after them
        std::vector<std::string> freed{};  // files that nobody refers to any more
    };
    // Applies the longest prefix of `records`, at least one, that fits one batch.
    // REQUIRES: `records` is not empty, its positions rise, and none was applied before.
    [[nodiscard]] Result<Applied> apply(std::span<const PositionedRecord> records,
                                        std::uint64_t ended_count);

private:
    struct Row {
        Invocation invocation;
        bool was_live = false;   // has an `l` row
        bool was_ended = false;  // has an `i` row
        bool is_new = false;     // accepted in this batch
        bool changed = false;
    };
    // The rows of one batch, in the order in which they were first met.
    struct Working {
        std::vector<Row> rows;
        std::unordered_map<InvocationId, std::size_t> index;
        KeyValueBatch batch;
        std::int64_t ended = 0;  // more ended ones than before
        std::vector<std::string> freed;
    };

    // Everything up to the next record that is a batch of its own.
    [[nodiscard]] Result<std::size_t> apply_run(std::span<const PositionedRecord> records,
                                                Working& working);
    [[nodiscard]] Result<std::size_t> apply_single(const Record& record, Working& working);
    [[nodiscard]] Result<void> write_single(const Record& record, KeyValueBatch& batch);
    [[nodiscard]] Result<void> purge(const PurgedRecord& record, Working& working);
    [[nodiscard]] Result<void> put_owner_term(const OwnerTermRecord& record, KeyValueBatch& batch);
    [[nodiscard]] Result<void> put_function(const FunctionPutRecord& record, KeyValueBatch& batch);
    [[nodiscard]] Result<void> delete_function(const FunctionDeletedRecord& record,
                                               KeyValueBatch& batch);
    [[nodiscard]] Result<void> put_paused(const QueuePausedRecord& record, KeyValueBatch& batch);
    [[nodiscard]] Result<void> drop_old_versions(const FunctionPutRecord& record,
                                                 KeyValueBatch& batch);

    void apply_accepted(const AcceptedRecord& record, Working& working);
    [[nodiscard]] Result<void> apply_change(const Record& record, Working& working);
    // The row in question, or nullptr for an invocation that the view never heard of.
    [[nodiscard]] Result<Row*> find_row(const InvocationId& id, Working& working);
    void write_row(const Row& row, Working& working) const;
    void write_key(const Invocation& invocation, KeyValueBatch& batch) const;

    KeyValueStore& store_;
    const ViewOptions options_;
};

}  // namespace longhaul::gateway
