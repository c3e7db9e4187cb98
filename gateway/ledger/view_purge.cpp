#include "gateway/ledger/view_purge.hpp"

#include "gateway/ledger/record_codec.hpp"
#include "gateway/ledger/view_keys.hpp"
#include "gateway/ledger/view_rows.hpp"

namespace longhaul::gateway {

Result<void> Purge::erase(const InvocationId& id, TimePoint as_of, TimePoint gone_until) {
    const Result<std::optional<std::string>> row = store_.get(keys::ended(id));
    if (!row) return row.error();
    if (!*row) return {};
    const Result<Invocation> invocation = decode_invocation(**row);
    if (!invocation) return invocation.error();

    batch_.erase(keys::ended(id));
    erase_index_rows(*invocation);
    if (auto done = erase_history(id); !done) return done.error();
    if (auto done = erase_key(*invocation, as_of); !done) return done.error();
    if (auto done = erase_retries(*invocation); !done) return done.error();
    if (auto done = erase_file(invocation->body.file, id); !done) return done.error();
    if (invocation->result)
        if (auto done = erase_file(invocation->result->file, id); !done) return done.error();
    batch_.put(keys::gone(id), rows::encode_time(gone_until));
    expire_later(keys::gone(id), gone_until);
    ++count_;
    return {};
}

Result<bool> Purge::sweep(TimePoint now, std::uint32_t max) {
    KeyRange due{.first = std::string(1, keys::kExpiry),
                 .end = keys::KeyBuilder(keys::kExpiry).time(now).take()};
    const auto cursor = store_.walk(std::move(due), KeyOrder::ascending);
    for (std::uint32_t count = 0; cursor->valid() && count < max; cursor->next(), ++count) {
        const std::string_view target = cursor->key().substr(1 + keys::kTimeBytes);
        const Result<bool> expired = is_expired(target, now);
        if (!expired) return expired.error();
        if (*expired) batch_.erase(std::string(target));
        batch_.erase(std::string(cursor->key()));
    }
    if (auto seen = cursor->status(); !seen) return seen.error();
    return cursor->valid();
}

// That it was retried goes with it; that it is a retry, where that outlived what it retried.
Result<void> Purge::erase_retries(const Invocation& invocation) {
    batch_.erase(keys::retried(invocation.id));
    if (!invocation.retry_of) return {};
    const auto origin = store_.get(keys::ended(*invocation.retry_of));
    if (!origin) return origin.error();
    if (!*origin) batch_.erase(keys::retried(*invocation.retry_of));
    return {};
}

Result<void> Purge::erase_history(const InvocationId& id) {
    const auto cursor = store_.walk(keys::all_of(keys::history_prefix(id)), KeyOrder::ascending);
    for (; cursor->valid(); cursor->next()) batch_.erase(std::string(cursor->key()));
    return cursor->status();
}

void Purge::erase_index_rows(const Invocation& invocation) {
    const auto erase = [&](std::string prefix) {
        batch_.erase(keys::with_time(std::move(prefix), invocation.created_at, invocation.id));
    };
    const TenantName& tenant = invocation.tenant;
    erase(keys::by_state_prefix(tenant, invocation.state));
    erase(keys::by_function_prefix(tenant, invocation.function->name, invocation.state));
    for (const auto& [label, value] : invocation.options.labels)
        erase(keys::by_label_prefix(tenant, label, value, invocation.state));
    batch_.erase(keys::by_end(invocation.ended_at.value_or(TimePoint{}), invocation.id));
}

Result<void> Purge::erase_file(const std::string& file, const InvocationId& id) {
    if (file.empty()) return {};
    const std::string row = keys::file(file, id);
    batch_.erase(row);
    erased_file_rows_.insert(row);
    const auto cursor = store_.walk(keys::all_of(keys::file_prefix(file)), KeyOrder::ascending);
    bool is_free = true;
    for (; cursor->valid() && is_free; cursor->next())
        is_free = erased_file_rows_.contains(std::string(cursor->key()));
    if (auto seen = cursor->status(); !seen) return seen.error();
    if (is_free) freed_files_.push_back(file);
    return {};
}

Result<void> Purge::erase_key(const Invocation& invocation, TimePoint as_of) {
    if (invocation.options.idempotency_key.empty()) return {};
    const std::string key = keys::idempotency(invocation.tenant, invocation.function->name,
                                              invocation.options.idempotency_key);
    const Result<std::optional<std::string>> row = store_.get(key);
    if (!row) return row.error();
    if (!*row) return {};
    const Result<StoredKey> stored = rows::decode_key(**row);
    if (!stored) return stored.error();
    // A later invocation may have taken the key since.
    if (stored->invocation != invocation.id) return {};
    if (stored->expires_at <= as_of)
        batch_.erase(key);
    else
        expire_later(key, stored->expires_at);
    return {};
}

Result<bool> Purge::is_expired(std::string_view key, TimePoint now) {
    const Result<std::optional<std::string>> row = store_.get(key);
    if (!row) return row.error();
    if (!*row) return false;
    if (key.front() == keys::kGone) {
        const Result<TimePoint> until = rows::decode_time(**row);
        if (!until) return until.error();
        return *until <= now;
    }
    const Result<StoredKey> stored = rows::decode_key(**row);
    if (!stored) return stored.error();
    return stored->expires_at <= now;
}

void Purge::expire_later(const std::string& key, TimePoint when) {
    batch_.put(keys::KeyBuilder(keys::kExpiry).time(when).tail(key).take(), {});
}

}  // namespace longhaul::gateway
