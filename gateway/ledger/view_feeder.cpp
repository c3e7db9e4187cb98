#include "gateway/ledger/view_feeder.hpp"

#include "gateway/ledger/record_codec.hpp"
#include "gateway/ledger/view_keys.hpp"
#include "gateway/ledger/view_purge.hpp"
#include "gateway/ledger/view_rows.hpp"
#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

// Records that come seldom and read what a batch before them wrote: each is a batch of its own.
bool is_single(const Record& record) {
    return !std::holds_alternative<AcceptedRecord>(record) && change_of(record) == nullptr;
}

void write_index_rows(const Invocation& invocation, KeyValueBatch& batch) {
    const auto put = [&](std::string prefix, std::string value) {
        batch.put(keys::with_time(std::move(prefix), invocation.created_at, invocation.id),
                  std::move(value));
    };
    const TenantName& tenant = invocation.tenant;
    const FunctionName& function = invocation.function->name;
    put(keys::by_state_prefix(tenant, invocation.state), {});
    put(keys::by_function_prefix(tenant, function, invocation.state), {});
    for (const auto& [label, value] : invocation.options.labels)
        put(keys::by_label_prefix(tenant, label, value, invocation.state), function.text);
    batch.put(keys::by_end(*invocation.ended_at, invocation.id), {});
}

void write_file_row(const Content& content, const InvocationId& id, KeyValueBatch& batch) {
    if (!content.file.empty()) batch.put(keys::file(content.file, id), {});
}

// Whatever the record said: an end has a time, by which retention finds it.
void close_if_ended(Invocation& invocation, TimePoint at) {
    if (is_terminal(invocation.state) && !invocation.ended_at) invocation.ended_at = at;
}

}  // namespace

Result<ViewFeeder::Applied> ViewFeeder::apply(std::span<const PositionedRecord> records,
                                              std::uint64_t ended_count) {
    LH_ASSERT(!records.empty());
    Working working;
    const Result<std::size_t> count = is_single(records.front().record)
                                          ? apply_single(records.front().record, working)
                                          : apply_run(records, working);
    if (!count) return count.error();
    working.batch.put(keys::KeyBuilder(keys::kPosition).take(),
                      rows::encode_number(records[*count - 1].position));
    Applied applied{*count, ended_count + static_cast<std::uint64_t>(working.ended),
                    std::move(working.freed)};
    if (working.ended != 0)
        working.batch.put(keys::KeyBuilder(keys::kEndedCount).take(),
                          rows::encode_number(applied.ended_count));
    if (auto written = store_.write(working.batch); !written) return written.error();
    return applied;
}

Result<std::size_t> ViewFeeder::apply_run(std::span<const PositionedRecord> records,
                                          Working& working) {
    std::size_t count = 0;
    for (; count < records.size() && !is_single(records[count].record); ++count) {
        const Record& record = records[count].record;
        if (const auto* accepted = std::get_if<AcceptedRecord>(&record))
            apply_accepted(*accepted, working);
        else if (auto done = apply_change(record, working); !done)
            return done.error();
    }
    for (const Row& row : working.rows)
        if (row.changed) write_row(row, working);
    return count;
}

Result<std::size_t> ViewFeeder::apply_single(const Record& record, Working& working) {
    const auto* purged = std::get_if<PurgedRecord>(&record);
    const Result<void> done =
        purged ? purge(*purged, working) : write_single(record, working.batch);
    if (!done) return done.error();
    return std::size_t{1};
}

Result<void> ViewFeeder::write_single(const Record& record, KeyValueBatch& batch) {
    if (const auto* term = std::get_if<OwnerTermRecord>(&record))
        return put_owner_term(*term, batch);
    if (const auto* put = std::get_if<FunctionPutRecord>(&record)) return put_function(*put, batch);
    if (const auto* deleted = std::get_if<FunctionDeletedRecord>(&record))
        return delete_function(*deleted, batch);
    if (const auto* paused = std::get_if<QueuePausedRecord>(&record))
        return put_paused(*paused, batch);
    const auto* limits = std::get_if<LimitsPutRecord>(&record);
    LH_ASSERT(limits != nullptr);
    batch.put(keys::KeyBuilder(keys::kLimits).take(), rows::encode_limits(limits->limits));
    return {};
}

Result<void> ViewFeeder::purge(const PurgedRecord& record, Working& working) {
    Purge purge{store_, working.batch};
    if (auto done = purge.erase(record.id, record.at, record.at); !done) return done.error();
    working.ended -= purge.count();
    working.freed = purge.take_freed_files();
    return {};
}

Result<void> ViewFeeder::put_owner_term(const OwnerTermRecord& record, KeyValueBatch& batch) {
    batch.put(keys::KeyBuilder(keys::kOwnerTerm).number(record.shard).take(),
              rows::encode_number(record.term));
    return {};
}

Result<void> ViewFeeder::put_function(const FunctionPutRecord& record, KeyValueBatch& batch) {
    StoredFunction function{.tenant = record.tenant,
                            .current = record.function,
                            .paused = false,
                            .updated_at = record.at};
    const std::string key = keys::function(record.tenant, record.function->name);
    const Result<std::optional<std::string>> old = store_.get(key);
    if (!old) return old.error();
    if (*old) {
        const Result<StoredFunction> before = rows::decode_function(**old);
        if (!before) return before.error();
        function.paused = before->paused;
    }
    batch.put(key, rows::encode_function(function));
    batch.put(keys::KeyBuilder(keys::kFunctionVersion)
                  .text(record.tenant.text)
                  .text(record.function->name.text)
                  .time(record.at)
                  .tail(record.function->version.text)
                  .take(),
              rows::encode_function(function));
    return drop_old_versions(record, batch);
}

Result<void> ViewFeeder::drop_old_versions(const FunctionPutRecord& record, KeyValueBatch& batch) {
    const auto cursor = store_.walk(
        keys::all_of(keys::function_versions_prefix(record.tenant, record.function->name)),
        KeyOrder::descending);
    // The one that this batch adds is not there yet.
    for (std::uint32_t kept = 1; cursor->valid(); cursor->next(), ++kept)
        if (kept >= options_.function_versions_kept) batch.erase(std::string(cursor->key()));
    return cursor->status();
}

Result<void> ViewFeeder::delete_function(const FunctionDeletedRecord& record,
                                         KeyValueBatch& batch) {
    batch.erase(keys::function(record.tenant, record.function));
    const auto cursor =
        store_.walk(keys::all_of(keys::function_versions_prefix(record.tenant, record.function)),
                    KeyOrder::ascending);
    for (; cursor->valid(); cursor->next()) batch.erase(std::string(cursor->key()));
    return cursor->status();
}

Result<void> ViewFeeder::put_paused(const QueuePausedRecord& record, KeyValueBatch& batch) {
    const std::string key = keys::function(record.tenant, record.function);
    const Result<std::optional<std::string>> row = store_.get(key);
    if (!row) return row.error();
    if (!*row) return {};
    Result<StoredFunction> function = rows::decode_function(**row);
    if (!function) return function.error();
    function->paused = record.paused;
    batch.put(key, rows::encode_function(*function));
    return {};
}

void ViewFeeder::apply_accepted(const AcceptedRecord& record, Working& working) {
    const Invocation& invocation = record.invocation;
    if (working.index.contains(invocation.id)) return;
    working.index.emplace(invocation.id, working.rows.size());
    working.rows.push_back({.invocation = invocation, .is_new = true, .changed = true});
    close_if_ended(working.rows.back().invocation, invocation.created_at);
    if (invocation.retry_of)
        working.batch.put(keys::retried(*invocation.retry_of), invocation.id.text);
    working.batch.put(keys::history(invocation.id, invocation.revision),
                      rows::encode_history(rows::history_entry(record, invocation)));
}

Result<void> ViewFeeder::apply_change(const Record& record, Working& working) {
    const Result<Row*> found = find_row(*invocation_of(record), working);
    if (!found) return found.error();
    Row* row = *found;
    if (row == nullptr) return {};
    Invocation& invocation = row->invocation;
    // The first end stands, and its index rows with it (I4).
    const bool is_ended = is_terminal(invocation.state);
    const bool ends = std::holds_alternative<TerminalRecord>(record);
    if (is_ended && (ends || change_of(record)->state != invocation.state)) return {};
    if (!longhaul::apply(record, invocation)) return {};
    close_if_ended(invocation, change_of(record)->at);
    row->changed = true;
    working.batch.put(keys::history(invocation.id, invocation.revision),
                      rows::encode_history(rows::history_entry(record, invocation)));
    return {};
}

Result<ViewFeeder::Row*> ViewFeeder::find_row(const InvocationId& id, Working& working) {
    if (const auto known = working.index.find(id); known != working.index.end())
        return &working.rows[known->second];
    Result<std::optional<std::string>> bytes = store_.get(keys::live(id));
    const bool is_live = bytes && *bytes;
    if (bytes && !is_live) bytes = store_.get(keys::ended(id));
    if (!bytes) return bytes.error();
    if (!*bytes) return nullptr;
    Result<Invocation> invocation = decode_invocation(**bytes);
    if (!invocation) return invocation.error();
    working.index.emplace(id, working.rows.size());
    working.rows.push_back(
        {.invocation = std::move(*invocation), .was_live = is_live, .was_ended = !is_live});
    return &working.rows.back();
}

void ViewFeeder::write_row(const Row& row, Working& working) const {
    const Invocation& invocation = row.invocation;
    KeyValueBatch& batch = working.batch;
    if (row.is_new) write_file_row(invocation.body, invocation.id, batch);
    if (!is_terminal(invocation.state)) {
        batch.put(keys::live(invocation.id), encode_invocation(invocation));
        if (row.is_new) write_key(invocation, batch);
        return;
    }
    batch.put(keys::ended(invocation.id), encode_invocation(invocation));
    if (row.was_ended) return;
    ++working.ended;
    if (row.was_live) batch.erase(keys::live(invocation.id));
    if (invocation.result) write_file_row(*invocation.result, invocation.id, batch);
    write_key(invocation, batch);
    write_index_rows(invocation, batch);
}

void ViewFeeder::write_key(const Invocation& invocation, KeyValueBatch& batch) const {
    const SubmitOptions& options = invocation.options;
    if (options.idempotency_key.empty()) return;
    TimePoint expires_at = TimePoint::max();  // while it lives
    if (invocation.ended_at)
        expires_at = std::max(invocation.created_at + options_.key_kept_after_accept,
                              *invocation.ended_at + options_.key_kept_after_end);
    batch.put(
        keys::idempotency(invocation.tenant, invocation.function->name, options.idempotency_key),
        rows::encode_key({invocation.id, options.fingerprint, expires_at}));
}

}  // namespace longhaul::gateway
