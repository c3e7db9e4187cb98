// Every call of the disk fails once, in turn: whatever the journal then says, what it had
// acknowledged is there when it is opened again, in order and whole (I1, I12).
#include "tests/unit/journal/journal_fixture.hpp"

#include <algorithm>

namespace longhaul::journal {

namespace {

using test::DiskOp;

// A life with appends, rolls into prepared and hurried segments, seals and a trim, over two
// openings; it goes on after each failure with a new opening, as a restarted program does.
class Life {
public:
    Life(DiskOp op, std::uint64_t nth, bool cuts_power) : op_(op), cuts_power_(cuts_power) {
        fixture_.disk.fail(op, nth);
    }

    // Whether the call that was to fail was made at all.
    bool run(std::uint64_t nth) {
        for (int part = 0; part < 2; ++part) {
            open();
            for (int i = 0; i < 45; ++i) append();
            journal_.reset();
        }
        const bool struck = fixture_.disk.calls(op_) >= nth;
        fixture_.disk.clear_faults();
        open();
        return struck;
    }

private:
    // A program that does not start is started again.
    void open() {
        for (int tries = 0;; ++tries) {
            auto opened = fixture_.open();
            if (opened) {
                journal_ = std::move(*opened);
                break;
            }
            REQUIRE(opened.error().code == Errc::io_failed);
            REQUIRE(tries < 2);
            die();
        }
        check();
    }

    void die() {
        journal_.reset();
        if (cuts_power_)
            fixture_.disk.cut_power();
        else
            fixture_.disk.kill();
    }

    void append() {
        const Records batch = numbered(next_, 2, 400);
        const auto appended = fixture_.append(*journal_, batch);
        if (appended) {
            next_ += 2;
            acknowledged_.insert(acknowledged_.end(), batch.begin(), batch.end());
        } else {
            unsure_ = batch;
            die();
            open();
            return;
        }
        if (next_ % 14 == 1) fixture_.let_run(*journal_, std::chrono::milliseconds(100));
        if (next_ % 60 == 1) (void)journal_->trim(static_cast<port::Position>(next_) - 40);
    }

    void check() {
        auto found = read_all(*journal_);
        if (!found) {  // the reading may be what fails
            REQUIRE(found.error().code == Errc::io_failed);
            found = read_all(*journal_);
        }
        REQUIRE(found);
        const std::size_t first = journal_->first() - 1;
        Records all = acknowledged_;
        Records kept{all.begin() + static_cast<std::ptrdiff_t>(first), all.end()};
        if (*found == kept) {
            unsure_.clear();
            return;
        }
        // What was not acknowledged may be there, as a whole.
        kept.insert(kept.end(), unsure_.begin(), unsure_.end());
        REQUIRE(*found == kept);
        acknowledged_.insert(acknowledged_.end(), unsure_.begin(), unsure_.end());
        next_ += static_cast<int>(unsure_.size());
        unsure_.clear();
    }

    const DiskOp op_;
    const bool cuts_power_;
    JournalFixture fixture_;
    std::unique_ptr<FileJournal> journal_;
    Records acknowledged_;
    Records unsure_;
    int next_ = 1;
};

}  // namespace

TEST_CASE("every call of the disk may fail once, and nothing acknowledged is lost") {
    std::uint64_t failures = 0;
    for (const DiskOp op : {DiskOp::open, DiskOp::read, DiskOp::write, DiskOp::sync, DiskOp::size,
                            DiskOp::truncate, DiskOp::lock, DiskOp::rename, DiskOp::remove,
                            DiskOp::list, DiskOp::make_dir, DiskOp::sync_dir}) {
        for (const bool cuts_power : {false, true}) {
            std::uint64_t nth = 1;
            INFO("operation " << static_cast<int>(op) << ", power cut " << cuts_power);
            while (Life{op, nth, cuts_power}.run(nth)) ++nth;
            failures += nth - 1;
        }
    }
    CHECK(failures > 500);
}

}  // namespace longhaul::journal
