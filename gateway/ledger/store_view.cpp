#include "gateway/ledger/store_view.hpp"

#include "gateway/ledger/view_keys.hpp"
#include "gateway/ledger/view_purge.hpp"
#include "gateway/ledger/view_rows.hpp"

#include <algorithm>
#include <span>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kLayoutVersion = 1;
// A purge lets the feeder in again after so many.
constexpr std::size_t kPurgeBatch = 64;

Result<std::uint64_t> number_in(const Result<std::optional<std::string>>& row) {
    if (!row) return row.error();
    if (!*row) return std::uint64_t{0};
    return rows::decode_number(**row);
}

std::string position_key() { return std::string(1, keys::kPosition); }

}  // namespace

Result<std::unique_ptr<View>> StoreView::open(std::unique_ptr<KeyValueStore> store,
                                              const ViewOptions& options) {
    const std::string version_key(1, keys::kVersion);
    const Result<std::uint64_t> version = number_in(store->get(version_key));
    if (!version) return version.error();
    if (*version > kLayoutVersion)
        return make_error(Errc::unsupported, "view: its layout " + std::to_string(*version) +
                                                 " was written by a newer longhaul; this one reads "
                                                 "layout " +
                                                 std::to_string(kLayoutVersion));
    if (*version == 0) {
        KeyValueBatch batch;
        batch.put(version_key, rows::encode_number(kLayoutVersion));
        if (auto written = store->write(batch); !written) return written.error();
    }
    const Result<std::uint64_t> applied = number_in(store->get(position_key()));
    if (!applied) return applied.error();
    return std::unique_ptr<View>(std::make_unique<StoreView>(std::move(store), options, *applied));
}

StoreView::StoreView(std::unique_ptr<KeyValueStore> store, const ViewOptions& options,
                     port::Position applied)
    : store_(std::move(store)),
      options_(options),
      reader_(*store_),
      feeder_(*store_, options),
      applied_(applied) {}

Result<void> StoreView::apply(const std::vector<PositionedRecord>& records) {
    const std::lock_guard lock(write_mutex_);
    std::span<const PositionedRecord> rest{records};
    while (!rest.empty() && rest.front().position <= applied_) rest = rest.subspan(1);
    while (!rest.empty()) {
        const Result<std::size_t> count = feeder_.apply(rest);
        if (!count) return count.error();
        applied_ = rest[*count - 1].position;
        rest = rest.subspan(*count);
    }
    return {};
}

Result<port::Position> StoreView::persisted() {
    return number_in(store_->get_persisted(position_key()));
}

Result<ViewSnapshot> StoreView::load() {
    Result<ViewSnapshot> snapshot = reader_.load();
    if (snapshot) snapshot->applied = applied_;
    return snapshot;
}

Result<std::vector<std::string>> StoreView::purge_ended(TimePoint before, std::uint32_t max) {
    std::vector<std::string> freed;
    Result<std::vector<InvocationId>> ids = ended_before(before, max);
    if (!ids) return ids.error();
    std::span<const InvocationId> rest{*ids};
    bool is_first = true;
    while (is_first || !rest.empty()) {
        const std::lock_guard lock(write_mutex_);
        KeyValueBatch batch;
        Purge purge{*store_, batch};
        Result<void> done = is_first ? purge.sweep(before, max) : Result<void>{};
        is_first = false;
        const auto chunk = rest.first(std::min(rest.size(), kPurgeBatch));
        rest = rest.subspan(chunk.size());
        for (std::size_t i = 0; done && i < chunk.size(); ++i)
            done = purge.erase(chunk[i], before, before + options_.gone_kept);
        if (done && !batch.operations().empty()) done = store_->write(batch);
        // What was freed must be told, or its files would stay; the next call meets the error.
        if (!done && freed.empty()) return done.error();
        if (!done) return freed;
        for (std::string& file : purge.take_freed_files()) freed.push_back(std::move(file));
    }
    return freed;
}

Result<std::vector<InvocationId>> StoreView::ended_before(TimePoint before, std::uint32_t max) {
    std::vector<InvocationId> ids;
    KeyRange range{.first = std::string(1, keys::kByEnd),
                   .end = keys::by_end(before, InvocationId{})};
    const auto cursor = store_->walk(std::move(range), KeyOrder::ascending);
    for (; cursor->valid() && ids.size() < max; cursor->next())
        ids.push_back({std::string(cursor->key().substr(1 + keys::kTimeBytes))});
    if (auto seen = cursor->status(); !seen) return seen.error();
    return ids;
}

}  // namespace longhaul::gateway
