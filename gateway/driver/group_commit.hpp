// Owns the journal: stages the records of a turn, commits them as one batch, and wakes what waits
// for them.
//
// Everything staged before the commit begins is in the same batch: one write, one sync. While a
// batch is being written the next one gathers. A failed append is the end (I12): every waiter gets
// Errc::unavailable, and `on_failure` is called once, with the reason, for the program to stop.
//
// Runs on one executor.
#pragma once

#include "gateway/ledger/view.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace longhaul::gateway {

class GroupCommit {
public:
    using OnDurable = std::function<void(std::vector<PositionedRecord>)>;
    using OnFailure = std::function<void(const Error&)>;

    GroupCommit(boost::asio::any_io_executor executor, port::Journal& journal, Logger logger,
                OnDurable on_durable, OnFailure on_failure);

    // Returns the position that the last of `records` will have; staged() if there are none.
    port::Position stage(std::vector<Record> records);

    [[nodiscard]] port::Position staged() const { return staged_; }
    [[nodiscard]] port::Position durable() const { return durable_; }
    [[nodiscard]] bool failed() const { return failed_; }

    // Returns when everything up to `position` is durable; Errc::unavailable if it never will be.
    boost::asio::awaitable<Result<void>> wait_durable(port::Position position);

    // The commit loop; ends when cancelled, or after stop() once all that was staged is durable.
    boost::asio::awaitable<void> run();
    void stop();

    struct Counters {
        std::uint64_t batches = 0;
        std::uint64_t records = 0;
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    void take_batch(std::vector<Record>& batch, std::vector<std::string>& encoded);
    void fail(const Error& error);

    port::Journal& journal_;
    Logger logger_;
    OnDurable on_durable_;
    OnFailure on_failure_;
    net::Notifier work_;
    net::Notifier done_;
    std::deque<Record> pending_;
    port::Position staged_;
    port::Position durable_;
    bool failed_ = false;
    bool stopping_ = false;
    Counters counters_;
};

}  // namespace longhaul::gateway
