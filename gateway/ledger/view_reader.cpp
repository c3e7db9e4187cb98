#include "gateway/ledger/view_reader.hpp"

#include "gateway/ledger/index_walk.hpp"
#include "gateway/ledger/record_codec.hpp"
#include "gateway/ledger/view_keys.hpp"
#include "gateway/ledger/view_rows.hpp"

#include <algorithm>
#include <unordered_map>

namespace longhaul::gateway {
namespace {

using Label = std::pair<std::string, std::string>;

bool has_label(const Invocation& invocation, const Label& label) {
    return std::ranges::find(invocation.options.labels, label) != invocation.options.labels.end();
}

// The index has seen to tenant, states and times.
bool matches(const Invocation& invocation, const ListQuery& query) {
    if (query.function && invocation.function->name != *query.function) return false;
    return std::ranges::all_of(
        query.labels, [&invocation](const Label& label) { return has_label(invocation, label); });
}

// One spec in memory for all invocations of a version.
class SpecPool {
public:
    void share(std::shared_ptr<const FunctionSpec>& spec) {
        const auto [known, is_new] = specs_.try_emplace(spec->version, spec);
        if (!is_new && *known->second == *spec) spec = known->second;
    }

private:
    std::unordered_map<Digest, std::shared_ptr<const FunctionSpec>> specs_;
};

std::string table(char name) { return std::string(1, name); }

}  // namespace

Result<ViewSnapshot> ViewReader::load() const {
    ViewSnapshot snapshot;
    SpecPool specs;
    const Result<std::optional<std::string>> limits = store_.get(table(keys::kLimits));
    if (!limits) return limits.error();
    if (*limits) {
        const Result<RunLimits> decoded = rows::decode_limits(**limits);
        if (!decoded) return decoded.error();
        snapshot.limits = *decoded;
    }
    auto done = visit_all(table(keys::kOwnerTerm), [&](auto, auto value) -> Result<void> {
        const Result<std::uint64_t> term = rows::decode_number(value);
        if (!term) return term.error();
        snapshot.owner_term = std::max(snapshot.owner_term, *term);
        return {};
    });
    if (!done) return done.error();
    done = visit_all(table(keys::kFunction), [&](auto, auto value) -> Result<void> {
        Result<StoredFunction> function = rows::decode_function(value);
        if (!function) return function.error();
        specs.share(function->current);
        snapshot.functions.push_back(std::move(*function));
        return {};
    });
    if (!done) return done.error();
    done = visit_all(table(keys::kLive), [&](auto, auto value) -> Result<void> {
        Result<Invocation> invocation = decode_invocation(value);
        if (!invocation) return invocation.error();
        specs.share(invocation->function);
        snapshot.live.push_back(std::move(*invocation));
        return {};
    });
    if (!done) return done.error();
    return snapshot;
}

Result<Invocation> ViewReader::get(const InvocationId& id) const {
    // In the order in which a row moves, so that it is not missed on its way.
    for (const std::string& key : {keys::live(id), keys::ended(id)}) {
        const Result<std::optional<std::string>> row = store_.get(key);
        if (!row) return row.error();
        if (*row) return decode_invocation(**row);
    }
    const Result<std::optional<std::string>> gone = store_.get(keys::gone(id));
    if (!gone) return gone.error();
    if (*gone)
        return make_error(Errc::gone, "invocation " + id.text + " has ended and was removed");
    return make_error(Errc::not_found, "there is no invocation " + id.text);
}

Result<std::vector<HistoryEntry>> ViewReader::history(const InvocationId& id) const {
    std::vector<HistoryEntry> entries;
    const auto done = visit_all(keys::history_prefix(id), [&](auto, auto value) -> Result<void> {
        Result<HistoryEntry> entry = rows::decode_history(value);
        if (!entry) return entry.error();
        entries.push_back(std::move(*entry));
        return {};
    });
    if (!done) return done.error();
    if (entries.empty())
        if (const Result<Invocation> invocation = get(id); !invocation) return invocation.error();
    return entries;
}

Result<std::vector<Invocation>> ViewReader::list_ended(const ListQuery& query) const {
    std::vector<Invocation> found;
    if (query.limit == 0) return found;
    const auto done = walk_index(query, [&](const Hit& hit) -> Result<bool> {
        if (query.unretried) {
            const auto retry = retried_as(hit.id);
            if (!retry) return retry.error();
            if (*retry) return true;
        }
        Result<std::optional<Invocation>> invocation = find_ended(hit.id);
        if (!invocation) return invocation.error();
        if (*invocation && matches(**invocation, query)) found.push_back(std::move(**invocation));
        return found.size() < query.limit;
    });
    if (!done) return done.error();
    return found;
}

Result<std::uint64_t> ViewReader::count_ended(const ListQuery& query) const {
    std::uint64_t count = 0;
    // One label is the index itself; only more of them need the row.
    const bool needs_row = query.labels.size() > 1;
    const auto done = walk_index(query, [&](const Hit& hit) -> Result<bool> {
        if (needs_row) {
            const Result<std::optional<Invocation>> invocation = find_ended(hit.id);
            if (!invocation) return invocation.error();
            if (!*invocation || !matches(**invocation, query)) return true;
        }
        ++count;
        return true;
    });
    if (!done) return done.error();
    return count;
}

Result<std::optional<InvocationId>> ViewReader::retried_as(const InvocationId& id) const {
    const Result<std::optional<std::string>> row = store_.get(keys::retried(id));
    if (!row) return row.error();
    std::optional<InvocationId> retry;
    if (*row) retry = InvocationId{**row};
    return retry;
}

Result<std::uint64_t> ViewReader::count_all_ended() const {
    std::uint64_t count = 0;
    const auto done = visit_all(table(keys::kByEnd), [&](auto, auto) -> Result<void> {
        ++count;
        return {};
    });
    if (!done) return done.error();
    return count;
}

Result<std::optional<StoredKey>> ViewReader::find_key(const TenantName& tenant,
                                                      const FunctionName& function,
                                                      const std::string& key, TimePoint now) const {
    const Result<std::optional<std::string>> row =
        store_.get(keys::idempotency(tenant, function, key));
    if (!row) return row.error();
    std::optional<StoredKey> found;
    if (!*row) return found;
    Result<StoredKey> stored = rows::decode_key(**row);
    if (!stored) return stored.error();
    if (stored->expires_at > now) found = std::move(*stored);
    return found;
}

Result<std::vector<std::string>> ViewReader::files() const {
    std::vector<std::string> files;
    const auto done = visit_all(table(keys::kFile), [&](auto key, auto) -> Result<void> {
        std::string_view rest = key.substr(1);
        std::string file;
        if (!keys::take_text(rest, file)) return make_error(Errc::corrupt, "file row: bad key");
        if (files.empty() || files.back() != file) files.push_back(std::move(file));
        return {};
    });
    if (!done) return done.error();
    return files;
}

Result<std::vector<StoredFunction>> ViewReader::versions(const TenantName& tenant,
                                                         const FunctionName& function) const {
    std::vector<StoredFunction> versions;
    const auto done = visit_all(keys::function_versions_prefix(tenant, function),
                                [&](auto, auto value) -> Result<void> {
                                    Result<StoredFunction> version = rows::decode_function(value);
                                    if (!version) return version.error();
                                    versions.push_back(std::move(*version));
                                    return {};
                                });
    if (!done) return done.error();
    std::ranges::reverse(versions);
    return versions;
}

Result<void> ViewReader::walk_index(const ListQuery& query, const Visitor& visit) const {
    const bool by_label = !query.labels.empty();
    IndexWalk walk{store_, query};
    for (; walk.valid(); walk.next()) {
        const Hit hit{.id = walk.id(), .value = walk.value()};
        if (by_label && query.function && hit.value != query.function->text) continue;
        const Result<bool> goes_on = visit(hit);
        if (!goes_on) return goes_on.error();
        if (!*goes_on) return {};
    }
    return walk.status();
}

Result<std::optional<Invocation>> ViewReader::find_ended(const InvocationId& id) const {
    const Result<std::optional<std::string>> row = store_.get(keys::ended(id));
    if (!row) return row.error();
    if (!*row) return std::optional<Invocation>{};
    Result<Invocation> invocation = decode_invocation(**row);
    if (!invocation) return invocation.error();
    return std::optional<Invocation>{std::move(*invocation)};
}

Result<void> ViewReader::visit_all(
    std::string prefix,
    const std::function<Result<void>(std::string_view key, std::string_view value)>& visit) const {
    const auto cursor = store_.walk(keys::all_of(std::move(prefix)), KeyOrder::ascending);
    for (; cursor->valid(); cursor->next())
        if (auto done = visit(cursor->key(), cursor->value()); !done) return done.error();
    return cursor->status();
}

}  // namespace longhaul::gateway
