// Feeds durable records to the view, behind the acknowledgement, on Workers.
//
// An error of the view makes lists answer 503 and is retried; it does not stop acknowledging. Some
// errors leave the view unusable until it is opened anew: after `give_up_after` of them the program
// is told to stop, and its next start rebuilds from the journal what the view lacks.
// Runs on one executor.
#pragma once

#include "gateway/ledger/view.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/journal.hpp"
#include "longhaul/port/workers.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

class Feeder {
public:
    // `on_applied(position)` after each batch.
    Feeder(boost::asio::any_io_executor executor, View& view, port::Journal& journal,
           port::Workers& workers, port::Clock& clock, Logger logger,
           std::function<void(port::Position)> on_applied);

    // Before run().
    void give_up_after(Duration limit, std::function<void(const Error&)> handler) {
        give_up_after_ = limit;
        on_failure_ = std::move(handler);
    }

    // What comes after the position that `held` names is not trimmed.
    void hold_journal(std::function<port::Position()> held) { held_ = std::move(held); }

    void feed(std::vector<PositionedRecord> records);
    [[nodiscard]] port::Position applied() const { return applied_; }
    [[nodiscard]] std::size_t backlog() const { return pending_.size(); }
    [[nodiscard]] const std::string& failure() const { return failure_; }

    // True once everything up to `position` is applied; false at `until`.
    boost::asio::awaitable<bool> wait_applied(port::Position position, TimePoint until);

    boost::asio::awaitable<void> run();
    void stop();

private:
    boost::asio::awaitable<void> trim_when_due();
    void note_failure(const Error& error);

    View& view_;
    port::Journal& journal_;
    port::Workers& workers_;
    port::Clock& clock_;
    Logger logger_;
    std::function<void(port::Position)> on_applied_;
    std::function<port::Position()> held_{};
    net::Notifier work_;
    net::Notifier done_;
    std::vector<PositionedRecord> pending_;
    port::Position applied_;
    port::Position trimmed_at_;
    std::string failure_;
    TimePoint failing_since_{};
    Duration give_up_after_{};
    std::function<void(const Error&)> on_failure_{};
    bool stopping_ = false;
};

}  // namespace longhaul::gateway
