#include "gateway/ledger/index_walk.hpp"

#include "gateway/ledger/view_keys.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

std::vector<State> terminal_states(const ListQuery& query) {
    std::vector<State> states;
    for (auto number = static_cast<int>(State::succeeded); number <= kStateCount; ++number) {
        const auto state = static_cast<State>(number);
        if (query.states.empty() || std::ranges::find(query.states, state) != query.states.end())
            states.push_back(state);
    }
    return states;
}

std::string index_prefix(const ListQuery& query, State state) {
    if (!query.labels.empty()) {
        const auto& [label, value] = query.labels.front();
        return keys::by_label_prefix(query.tenant, label, value, state);
    }
    if (query.function) return keys::by_function_prefix(query.tenant, *query.function, state);
    return keys::by_state_prefix(query.tenant, state);
}

// The rows of one state that lie within since, until and the cursor.
KeyRange range_of(const ListQuery& query, const std::string& prefix) {
    KeyRange range = keys::all_of(prefix);
    const InvocationId nobody{};
    if (query.since) range.first = keys::with_time(prefix, *query.since, nobody);
    if (query.until) range.end = keys::with_time(prefix, *query.until, nobody);
    if (!query.after) return range;
    const std::string last = keys::with_time(prefix, query.after->first, query.after->second);
    if (query.newest_first)
        range.end = std::min(range.end, last);
    else
        range.first = std::max(range.first, last + '\0');
    return range;
}

}  // namespace

IndexWalk::IndexWalk(KeyValueStore& store, const ListQuery& query)
    : newest_first_(query.newest_first) {
    const KeyOrder order = newest_first_ ? KeyOrder::descending : KeyOrder::ascending;
    for (const State state : terminal_states(query)) {
        const std::string prefix = index_prefix(query, state);
        sources_.push_back({store.walk(range_of(query, prefix), order), prefix.size()});
    }
    choose();
}

InvocationId IndexWalk::id() const {
    return InvocationId{std::string(best_->place().substr(keys::kTimeBytes))};
}

std::string_view IndexWalk::value() const { return best_->cursor->value(); }

void IndexWalk::next() {
    best_->cursor->next();
    choose();
}

Result<void> IndexWalk::status() const {
    for (const Source& source : sources_)
        if (auto seen = source.cursor->status(); !seen) return seen.error();
    return {};
}

void IndexWalk::choose() {
    best_ = nullptr;
    for (Source& source : sources_) {
        if (!source.cursor->valid()) continue;
        if (best_ == nullptr ||
            (newest_first_ ? source.place() > best_->place() : source.place() < best_->place()))
            best_ = &source;
    }
}

}  // namespace longhaul::gateway
