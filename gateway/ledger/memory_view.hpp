// The View in memory, for the simulator and for tests. Same logic and same rows as on disk.
#pragma once

#include "gateway/ledger/memory_store.hpp"
#include "gateway/ledger/view.hpp"
#include "gateway/ledger/view_options.hpp"

namespace longhaul::gateway {

class MemoryView {
public:
    // `store` is the disk: it outlives the view, and a new view over it finds what was there.
    [[nodiscard]] static Result<std::unique_ptr<View>> open(MemoryStore& store,
                                                            const ViewOptions& options);
};

}  // namespace longhaul::gateway
