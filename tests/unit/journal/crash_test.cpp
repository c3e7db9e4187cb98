// Power cuts and kills at any call of the disk, by seed: what was acknowledged is there afterwards,
// in order, and beyond it at most one whole batch that was not (I1).
#include "tests/unit/journal/journal_fixture.hpp"

#include <algorithm>

namespace longhaul::journal {

namespace {

class CrashRun {
public:
    explicit CrashRun(std::uint64_t seed) : random_{seed}, fixture_{seed} {}

    void run() {
        for (int life = 0; life < 12; ++life) {
            live_once();
            if (random_.chance(0.7)) {
                fixture_.disk.cut_power();
            } else {
                fixture_.disk.kill();
            }
        }
        const auto journal = fixture_.open().value();
        check(*journal);
    }

private:
    // Opens, checks what is there, and works until the disk stops.
    void live_once() {
        fixture_.disk.stop_after(random_.below(60));
        const auto opened = fixture_.open();
        if (!opened) {
            INFO(opened.error().message);
            REQUIRE(opened.error().code == Errc::io_failed);
            return;
        }
        FileJournal& journal = **opened;
        check(journal);
        while (!stopped_) {
            step(journal);
        }
        stopped_ = false;
    }

    void check(FileJournal& journal) {
        // A trim that failed may have happened nevertheless.
        REQUIRE(journal.first() <= std::max(first_, trimmed_before_));
        drop_before(journal.first());
        const auto found = read_all(journal, first_);
        REQUIRE(found);
        Records with_unsure = acknowledged_;
        with_unsure.insert(with_unsure.end(), unsure_.begin(), unsure_.end());
        REQUIRE((*found == acknowledged_ || *found == with_unsure));
        acknowledged_ = *found;
        unsure_.clear();
        REQUIRE(journal.opening().last == first_ + acknowledged_.size() - 1);
    }

    void step(FileJournal& journal) {
        const auto what = random_.below(10);
        if (what == 0) {
            fixture_.let_run(journal, std::chrono::milliseconds{random_.below(50)});
        } else if (what == 1 && acknowledged_.size() > 20) {
            trimmed_before_ = first_ + random_.below(acknowledged_.size());
            if (!journal.trim(trimmed_before_)) {
                stopped_ = true;
            }
            drop_before(journal.first());
            if (stopped_) {
                return;
            }
        }
        Records batch;
        for (auto count = 1 + random_.below(4); count > 0; --count) {
            batch.push_back(std::to_string(next_++) + std::string(random_.below(900), 'r'));
        }
        const auto appended = fixture_.append(journal, batch);
        if (appended) {
            acknowledged_.insert(acknowledged_.end(), batch.begin(), batch.end());
            REQUIRE(*appended == first_ + acknowledged_.size() - 1);
        } else {
            unsure_ = batch;
            stopped_ = true;
        }
    }

    // The journal may drop these; it need not.
    void drop_before(port::Position first) {
        while (first_ < first) {
            acknowledged_.erase(acknowledged_.begin());
            ++first_;
        }
    }

    test::SeededRandom random_;
    JournalFixture fixture_;
    port::Position first_ = 1;
    port::Position trimmed_before_ = 1;
    Records acknowledged_;
    Records unsure_;
    int next_ = 1;
    bool stopped_ = false;
};

}  // namespace

TEST_CASE("no acknowledged record is lost in 400 histories of crashes") {
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        INFO("seed " << seed);
        CrashRun{seed}.run();
    }
}

}  // namespace longhaul::journal
