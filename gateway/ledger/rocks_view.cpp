#include "gateway/ledger/rocks_view.hpp"

#include "gateway/ledger/store_view.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstdarg>

namespace longhaul::gateway {
namespace {

constexpr int kBloomBitsPerKey = 10;
// Live rows come and go: a file where half of so many rows are erasures is compacted early.
constexpr std::size_t kErasureWindow = 16 * 1024;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view_of(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

Error error_of(const rocksdb::Status& status) {
    const Errc code = status.IsCorruption() ? Errc::corrupt : Errc::io_failed;
    return make_error(code, "view: " + status.ToString());
}

// RocksDB's own log as a file would be one more thing to write on a disk that is full, and Debian's
// build stops the process when that fails. What matters comes back as a status.
class NoInfoLog final : public rocksdb::Logger {
public:
    NoInfoLog() : rocksdb::Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
    using rocksdb::Logger::Logv;
    void Logv(const char* /*format*/, std::va_list /*arguments*/) override {}
};

class RocksCursor final : public KeyCursor {
public:
    RocksCursor(rocksdb::DB& db, KeyRange range, KeyOrder order)
        : range_(std::move(range)),
          order_(order),
          first_(slice(range_.first)),
          end_(slice(range_.end)) {
        // RocksDB leaves bounds that cross undefined.
        if (range_.first >= range_.end) return;
        rocksdb::ReadOptions options;
        options.iterate_lower_bound = &first_;
        options.iterate_upper_bound = &end_;
        rows_.reset(db.NewIterator(options));
        if (order_ == KeyOrder::ascending)
            rows_->SeekToFirst();
        else
            rows_->SeekToLast();
    }

    bool valid() const override { return rows_ && rows_->Valid(); }
    std::string_view key() const override { return view_of(rows_->key()); }
    std::string_view value() const override { return view_of(rows_->value()); }

    void next() override {
        if (order_ == KeyOrder::ascending)
            rows_->Next();
        else
            rows_->Prev();
    }

    Result<void> status() const override {
        if (!rows_ || rows_->status().ok()) return {};
        return error_of(rows_->status());
    }

private:
    const KeyRange range_;
    const KeyOrder order_;
    const rocksdb::Slice first_;
    const rocksdb::Slice end_;
    std::unique_ptr<rocksdb::Iterator> rows_;
};

class RocksStore final : public KeyValueStore {
public:
    explicit RocksStore(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

    Result<std::optional<std::string>> get(std::string_view key) override {
        return read(key, rocksdb::ReadOptions{});
    }

    Result<std::optional<std::string>> get_persisted(std::string_view key) override {
        rocksdb::ReadOptions options;
        // A plain read would show what is in memory alone.
        options.read_tier = rocksdb::kPersistedTier;
        return read(key, options);
    }

    std::unique_ptr<KeyCursor> walk(KeyRange range, KeyOrder order) override {
        return std::make_unique<RocksCursor>(*db_, std::move(range), order);
    }

    Result<void> write(const KeyValueBatch& batch) override {
        rocksdb::WriteBatch rows;
        for (const KeyValueBatch::Operation& operation : batch.operations()) {
            const rocksdb::Status added = operation.value
                                              ? rows.Put(operation.key, *operation.value)
                                              : rows.Delete(operation.key);
            if (!added.ok()) return error_of(added);
        }
        rocksdb::WriteOptions options;
        options.disableWAL = true;  // the journal is the log
        const rocksdb::Status written = db_->Write(options, &rows);
        if (!written.ok()) return stopped_by(written);
        return {};
    }

    Result<void> flush() override {
        rocksdb::FlushOptions options;
        options.wait = true;
        options.allow_write_stall = true;
        const rocksdb::Status flushed = db_->Flush(options);
        if (!flushed.ok()) return stopped_by(flushed);
        return {};
    }

private:
    // After a failed flush RocksDB takes no more writes until it is told to go on. That it can is
    // seen at the next try.
    Error stopped_by(const rocksdb::Status& status) {
        (void)db_->Resume();
        return error_of(status);
    }

    Result<std::optional<std::string>> read(std::string_view key,
                                            const rocksdb::ReadOptions& options) {
        std::string value;
        const rocksdb::Status found = db_->Get(options, slice(key), &value);
        if (found.IsNotFound()) return std::optional<std::string>{};
        if (!found.ok()) return error_of(found);
        return std::optional<std::string>{std::move(value)};
    }

    const std::unique_ptr<rocksdb::DB> db_;
};

rocksdb::CompressionType best_compression() {
    const auto known = rocksdb::GetSupportedCompressions();
    for (const auto wanted : {rocksdb::kLZ4Compression, rocksdb::kZSTD})
        if (std::ranges::find(known, wanted) != known.end()) return wanted;
    return rocksdb::kNoCompression;
}

rocksdb::Options rocks_options(const RocksViewOptions& options) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, /*num_shard_bits=*/2);
    table.cache_index_and_filter_blocks = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
    table.block_size = 8 * 1024;

    rocksdb::Options rocks;
    rocks.create_if_missing = true;
    rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocks.compression = best_compression();
    rocks.table_properties_collector_factories.push_back(
        rocksdb::NewCompactOnDeletionCollectorFactory(kErasureWindow, kErasureWindow / 2));

    rocks.write_buffer_size = options.write_buffer_bytes;
    rocks.max_write_buffer_number = 2;
    // One writer, and the keys of each table (its first byte) come nearly in order: a row is put in
    // beside the last one of its table instead of being searched for.
    rocks.allow_concurrent_memtable_write = false;
    rocks.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
    rocks.max_open_files = options.open_files_max;
    rocks.max_background_jobs = 2;
    rocks.target_file_size_base = 16u << 20;
    rocks.max_bytes_for_level_base = 64u << 20;

    rocks.atomic_flush = true;  // holds also should a column family ever be added
    rocks.avoid_flush_during_shutdown = !options.flush_at_close;
    rocks.paranoid_checks = true;
    rocks.skip_stats_update_on_db_open = true;

    rocks.info_log = std::make_shared<NoInfoLog>();
    rocks.stats_dump_period_sec = 0;
    rocks.stats_persist_period_sec = 0;
    return rocks;
}

}  // namespace

Result<std::unique_ptr<View>> RocksView::open(std::string folder, RocksViewOptions options) {
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(rocks_options(options), folder, &raw);
    std::unique_ptr<rocksdb::DB> db{raw};
    if (!opened.ok()) return error_of(opened);
    return StoreView::open(std::make_unique<RocksStore>(std::move(db)), options.view);
}

}  // namespace longhaul::gateway
