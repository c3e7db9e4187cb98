#include "gateway/ledger/store_view.hpp"

#include "gateway/ledger/view_keys.hpp"
#include "gateway/ledger/view_purge.hpp"
#include "gateway/ledger/view_rows.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kLayoutVersion = 2;
// A purge lets the feeder in again after so many.
constexpr std::size_t kPurgeBatch = 64;

Result<std::uint64_t> number_in(const Result<std::optional<std::string>>& row) {
    if (!row) return row.error();
    if (!*row) return std::uint64_t{0};
    return rows::decode_number(**row);
}

std::string position_key() { return std::string(1, keys::kPosition); }

// A new store, or one of layout 1, in which the ended ones are not counted.
Result<void> lay_out(KeyValueStore& store) {
    const Result<std::uint64_t> ended = ViewReader{store}.count_all_ended();
    if (!ended) return ended.error();
    KeyValueBatch batch;
    batch.put(std::string(1, keys::kVersion), rows::encode_number(kLayoutVersion));
    batch.put(std::string(1, keys::kEndedCount), rows::encode_number(*ended));
    return store.write(batch);
}

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
    if (*version < kLayoutVersion)
        if (auto done = lay_out(*store); !done) return done.error();
    const Result<std::uint64_t> applied = number_in(store->get(position_key()));
    if (!applied) return applied.error();
    const auto ended = number_in(store->get(std::string(1, keys::kEndedCount)));
    if (!ended) return ended.error();
    return std::unique_ptr<View>(
        std::make_unique<StoreView>(std::move(store), options, *applied, *ended));
}

StoreView::StoreView(std::unique_ptr<KeyValueStore> store, const ViewOptions& options,
                     port::Position applied, std::uint64_t ended_count)
    : store_(std::move(store)),
      options_(options),
      reader_(*store_),
      feeder_(*store_, options),
      applied_(applied),
      ended_count_(ended_count) {}

Result<void> StoreView::apply(const std::vector<PositionedRecord>& records) {
    const std::lock_guard lock(write_mutex_);
    std::span<const PositionedRecord> rest{records};
    while (!rest.empty() && rest.front().position <= applied_) rest = rest.subspan(1);
    while (!rest.empty()) {
        Result<ViewFeeder::Applied> done = feeder_.apply(rest, ended_count_);
        if (!done) return done.error();
        applied_ = rest[done->records - 1].position;
        ended_count_ = done->ended_count;
        rest = rest.subspan(done->records);
        if (done->freed.empty()) continue;
        const std::lock_guard freed_lock(freed_mutex_);
        for (std::string& file : done->freed) freed_.push_back(std::move(file));
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

Result<Purged> StoreView::purge_ended(const PurgeOrder& order) {
    Purged purged;
    const Result<std::vector<InvocationId>> ids = to_purge(order);
    if (!ids) return ids.error();
    purged.more = ids->size() > order.max;
    std::span<const InvocationId> rest{*ids};
    rest = rest.first(std::min<std::size_t>(rest.size(), order.max));
    {
        const std::lock_guard lock(write_mutex_);
        KeyValueBatch batch;
        const Result<bool> swept = Purge{*store_, batch}.sweep(order.before, order.max);
        if (!swept) return swept.error();
        if (auto written = store_->write(batch); !written) return written.error();
        purged.more = purged.more || *swept;
    }
    while (!rest.empty()) {
        const auto chunk = rest.first(std::min(rest.size(), kPurgeBatch));
        rest = rest.subspan(chunk.size());
        const Result<void> done = purge_some(chunk, order.before, purged);
        // What was freed must be told, or its files would stay; the next call meets the error.
        if (!done && purged.files.empty()) return done.error();
        if (!done) break;
    }
    return purged;
}

Result<void> StoreView::purge_some(std::span<const InvocationId> ids, TimePoint before,
                                   Purged& purged) {
    const std::lock_guard lock(write_mutex_);
    KeyValueBatch batch;
    Purge purge{*store_, batch};
    for (const InvocationId& id : ids)
        if (auto done = purge.erase(id, before, before + options_.gone_kept); !done) return done;
    if (purge.count() == 0) return {};
    const std::uint64_t left = ended_count_ - purge.count();
    batch.put(std::string(1, keys::kEndedCount), rows::encode_number(left));
    if (auto written = store_->write(batch); !written) return written;
    ended_count_ = left;
    purged.count += purge.count();
    for (std::string& file : purge.take_freed_files()) purged.files.push_back(std::move(file));
    return {};
}

std::vector<std::string> StoreView::take_freed_files() {
    const std::lock_guard lock(freed_mutex_);
    return std::exchange(freed_, {});
}

Result<std::vector<InvocationId>> StoreView::to_purge(const PurgeOrder& order) {
    const std::uint64_t ended = ended_count_;
    const std::uint64_t kept_max = order.kept_max.value_or(ended);
    const std::uint64_t surplus = ended - std::min(ended, kept_max);
    const std::string old = keys::by_end(order.before, InvocationId{});
    std::vector<InvocationId> ids;
    const auto cursor =
        store_->walk(keys::all_of(std::string(1, keys::kByEnd)), KeyOrder::ascending);
    for (; cursor->valid() && ids.size() <= order.max; cursor->next()) {
        if (cursor->key() >= old && ids.size() >= surplus) break;
        ids.push_back({std::string(cursor->key().substr(1 + keys::kTimeBytes))});
    }
    if (auto seen = cursor->status(); !seen) return seen.error();
    return ids;
}

}  // namespace longhaul::gateway
