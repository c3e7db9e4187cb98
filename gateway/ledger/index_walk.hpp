// Walks the index rows that a list query asks for, in the order of (created_at, id).
//
// An index is cut by state, so that "the three that failed among a million" reads three rows; a
// query over several states merges as many walks. One thread.
#pragma once

#include "gateway/ledger/key_value_store.hpp"
#include "gateway/ledger/view.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace longhaul::gateway {

class IndexWalk {
public:
    // By label if the query has one (the first; the caller checks the others and the function),
    // else by function, else by state alone.
    IndexWalk(KeyValueStore& store, const ListQuery& query);

    // What these show is good until next().
    [[nodiscard]] bool valid() const { return best_ != nullptr; }
    [[nodiscard]] InvocationId id() const;
    [[nodiscard]] std::string_view value() const;
    void next();
    [[nodiscard]] Result<void> status() const;

private:
    struct Source {
        std::unique_ptr<KeyCursor> cursor;
        std::size_t prefix_bytes;

        // created_at and id, as bytes that sort as they do.
        [[nodiscard]] std::string_view place() const { return cursor->key().substr(prefix_bytes); }
    };

    void choose();

    const bool newest_first_;
    std::vector<Source> sources_;
    Source* best_ = nullptr;  // the one that is next; nullptr at the end
};

}  // namespace longhaul::gateway
