// A view over a store that outlives it, so that one suite holds for RocksDB and for memory.
#pragma once

#include "gateway/ledger/memory_view.hpp"
#include "gateway/ledger/rocks_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_folder.hpp"

#include <memory>

namespace longhaul::test {

enum class ViewKind : bool { memory, rocks };

class ViewBed {
public:
    explicit ViewBed(ViewKind kind, gateway::ViewOptions options = {})
        : kind_(kind), options_(options) {
        open();
    }

    gateway::View& operator*() { return *view_; }
    gateway::View* operator->() { return view_.get(); }

    void flush() { REQUIRE(view_->flush().has_value()); }

    void fail_writes(Error error) { memory_.fail_writes(std::move(error)); }

    // Close after a flush, and open again.
    void restart() {
        flush();
        view_.reset();
        open();
    }

    // Of what was applied since the last flush only a prefix is there afterwards.
    void crash(std::size_t batches_kept) {
        view_.reset();
        memory_.crash(batches_kept);
        open();
    }

private:
    void open() {
        gateway::RocksViewOptions rocks;
        rocks.view = options_;
        rocks.flush_at_close = false;
        auto opened = kind_ == ViewKind::memory ? gateway::MemoryView::open(memory_, options_)
                                                : gateway::RocksView::open(folder_ / "view", rocks);
        if (!opened) FAIL(opened.error().message);
        view_ = std::move(*opened);
    }

    const ViewKind kind_;
    const gateway::ViewOptions options_;
    TempFolder folder_;
    gateway::MemoryStore memory_;
    std::unique_ptr<gateway::View> view_;
};

}  // namespace longhaul::test
