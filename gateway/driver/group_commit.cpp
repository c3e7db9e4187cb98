#include "gateway/driver/group_commit.hpp"

#include "gateway/ledger/record_codec.hpp"
#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <utility>

namespace longhaul::gateway {
namespace {

// Well below what a journal takes in one batch, and enough to make a sync worth its while.
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;

}  // namespace

GroupCommit::GroupCommit(boost::asio::any_io_executor executor, port::Journal& journal,
                         Logger logger, OnDurable on_durable, OnFailure on_failure)
    : journal_(journal),
      logger_(std::move(logger)),
      on_durable_(std::move(on_durable)),
      on_failure_(std::move(on_failure)),
      work_(executor),
      done_(executor),
      staged_(journal.opening().last),
      durable_(journal.opening().last) {}

port::Position GroupCommit::stage(std::vector<Record> records) {
    if (records.empty()) return staged_;
    staged_ += records.size();
    for (Record& record : records) pending_.push_back(std::move(record));
    work_.notify_all();
    return staged_;
}

boost::asio::awaitable<Result<void>> GroupCommit::wait_durable(port::Position position) {
    LH_ASSERT(position <= staged_);
    if (mutant(Mutant::ack_before_sync)) co_return Result<void>{};
    while (durable_ < position) {
        if (failed_)
            co_return make_error(Errc::unavailable, "the journal cannot be written",
                                 "store-unavailable");
        co_await done_.wait();
    }
    co_return Result<void>{};
}

boost::asio::awaitable<void> GroupCommit::run() {
    while (!failed_) {
        if (pending_.empty()) {
            if (stopping_) co_return;
            co_await work_.wait();
            continue;
        }
        std::vector<Record> batch;
        std::vector<std::string> encoded;
        take_batch(batch, encoded);
        auto appended = co_await journal_.append(std::move(encoded));
        if (!appended) {
            fail(appended.error());
            co_return;
        }
        LH_ASSERT(*appended == durable_ + batch.size());
        std::vector<PositionedRecord> durable;
        durable.reserve(batch.size());
        for (Record& record : batch)
            durable.push_back(PositionedRecord{++durable_, std::move(record)});
        ++counters_.batches;
        counters_.records += durable.size();
        // Who waited before is awake before those whom the news wakes, and tells an older state
        // before they tell a newer one.
        done_.notify_all();
        on_durable_(std::move(durable));
    }
}

// From the front, at least one, up to the size that one write should have; the rest is next.
void GroupCommit::take_batch(std::vector<Record>& batch, std::vector<std::string>& encoded) {
    std::size_t bytes = 0;
    while (!pending_.empty()) {
        std::string text = encode_record(pending_.front());
        if (!batch.empty() && bytes + text.size() > kBatchBytes) return;
        bytes += text.size();
        encoded.push_back(std::move(text));
        batch.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
}

void GroupCommit::stop() {
    stopping_ = true;
    work_.notify_all();
}

void GroupCommit::fail(const Error& error) {
    failed_ = true;
    logger_.error("journal_failed", {{"why", error.message}});
    done_.notify_all();
    on_failure_(error);
}

}  // namespace longhaul::gateway
