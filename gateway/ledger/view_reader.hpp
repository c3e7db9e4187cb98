// Answers questions from the view's rows: the reading half of the view.
//
// Any number of threads at the same time, also while a feeder writes.
#pragma once

#include "gateway/ledger/key_value_store.hpp"
#include "gateway/ledger/view.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::gateway {

class ViewReader {
public:
    explicit ViewReader(KeyValueStore& store) : store_(store) {}

    // As in view.hpp. load() leaves `applied` to the caller.
    [[nodiscard]] Result<ViewSnapshot> load() const;
    [[nodiscard]] Result<Invocation> get(const InvocationId& id) const;
    [[nodiscard]] Result<std::vector<HistoryEntry>> history(const InvocationId& id) const;
    [[nodiscard]] Result<std::vector<Invocation>> list_ended(const ListQuery& query) const;
    [[nodiscard]] Result<std::uint64_t> count_ended(const ListQuery& query) const;
    [[nodiscard]] Result<std::optional<InvocationId>> retried_as(const InvocationId& id) const;
    // As they are in the store, one by one: to be asked once, for a store without a count.
    [[nodiscard]] Result<std::uint64_t> count_all_ended() const;
    [[nodiscard]] Result<std::optional<StoredKey>> find_key(const TenantName& tenant,
                                                            const FunctionName& function,
                                                            const std::string& key,
                                                            TimePoint now) const;
    [[nodiscard]] Result<std::vector<std::string>> files() const;
    [[nodiscard]] Result<std::vector<StoredFunction>> versions(const TenantName& tenant,
                                                               const FunctionName& function) const;

private:
    // What an index row tells: the id, and the function where the index is by label.
    struct Hit {
        InvocationId id;
        std::string_view value;
    };
    // Says whether to go on.
    using Visitor = std::function<Result<bool>(const Hit&)>;

    // Visits the rows of the narrowest index for `query`, in its order.
    [[nodiscard]] Result<void> walk_index(const ListQuery& query, const Visitor& visit) const;
    // Nothing if it was purged meanwhile.
    [[nodiscard]] Result<std::optional<Invocation>> find_ended(const InvocationId& id) const;
    [[nodiscard]] Result<void> visit_all(
        std::string prefix,
        const std::function<Result<void>(std::string_view key, std::string_view value)>& visit)
        const;

    KeyValueStore& store_;
};

}  // namespace longhaul::gateway
