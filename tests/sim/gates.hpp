// What stands between one process (of the gateway, of a host agent) and the world, so that it can
// die in the midst of anything: its disk, its workers, its sink of events. Each operation on the
// outside is counted by the Lifeline, once before and once after its effect; at the one that was
// chosen the process is dead, and whatever its code does from there on has no effect any more.
//
// One thread, one FakeClock. A gate outlives whatever was opened through it.
#pragma once

#include "longhaul/port/disk.hpp"
#include "longhaul/port/event_sink.hpp"
#include "longhaul/port/workers.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/seeded_random.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <list>
#include <memory>
#include <utility>

namespace longhaul::sim {

class Lifeline {
public:
    // False: the process is dead, and this does not happen.
    [[nodiscard]] bool holds() {
        if (left_ > 0 && --left_ == 0) {
            cut_ = true;
            if (on_death_) on_death_();
        }
        return !cut_;
    }
    // It dies at the n-th (1, 2, …) operation from now.
    void cut_at(std::uint64_t nth) { left_ = nth; }
    // Called from within that operation.
    void on_death(std::function<void()> call) { on_death_ = std::move(call); }
    void spare() { left_ = 0; }
    void cut() { cut_ = true; }
    [[nodiscard]] bool is_cut() const { return cut_; }

private:
    std::uint64_t left_ = 0;  // 0 = it is not to die
    bool cut_ = false;
    std::function<void()> on_death_{};
};

class GatedDisk final : public port::Disk {
public:
    GatedDisk(port::Disk& disk, Lifeline& life) : disk_(disk), life_(life) {}

    [[nodiscard]] Result<std::unique_ptr<port::File>> open(const std::string& path,
                                                           port::OpenMode mode) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] Result<void> make_dir(const std::string& folder) override;
    [[nodiscard]] Result<void> sync_dir(const std::string& folder) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& folder) override;

private:
    port::Disk& disk_;
    Lifeline& life_;
};

// How long jobs take: of ten one up to `job_max`, the others much less.
struct Pace {
    Duration job_max{0};
};

// Workers whose jobs take virtual time: a job happens at some moment of it, its coroutine goes on
// at the end. As with threads, a caller that is cancelled waits all the same.
class SlowWorkers final : public port::Workers {
public:
    SlowWorkers(boost::asio::any_io_executor executor, test::FakeClock& clock,
                test::SeededRandom& random, const Pace& pace, Lifeline& life)
        : executor_(std::move(executor)),
          clock_(clock),
          random_(random),
          pace_(pace),
          life_(life) {}

    boost::asio::awaitable<void> run(std::function<void()> job) override;
    // The process has died: what is under way ends now, and so does all that follows.
    void close();

private:
    struct Work;

    const boost::asio::any_io_executor executor_;
    test::FakeClock& clock_;
    test::SeededRandom& random_;
    const Pace& pace_;
    Lifeline& life_;
    bool closed_ = false;
    std::list<std::shared_ptr<Work>> under_way_;  // shared with the clock
};

class GatedSink final : public port::EventSink {
public:
    GatedSink(port::EventSink& sink, Lifeline& life) : sink_(sink), life_(life) {}
    boost::asio::awaitable<Result<void>> publish(std::vector<port::OutgoingEvent> events) override;

private:
    port::EventSink& sink_;
    Lifeline& life_;
};

}  // namespace longhaul::sim
