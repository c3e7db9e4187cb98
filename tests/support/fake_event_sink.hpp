// An EventSink that remembers, and that fails by seed: before it took anything, in the middle, or
// after it had taken all. Knows whether what it got kept the promise: each order key's events, by
// their revisions, without a gap and in order, repeats allowed.
//
// One thread.
#pragma once

#include "longhaul/port/event_sink.hpp"
#include "tests/support/seeded_random.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace longhaul::test {

class FakeEventSink final : public port::EventSink {
public:
    explicit FakeEventSink(std::uint64_t seed) : random_(seed) {}

    boost::asio::awaitable<Result<void>> publish(std::vector<port::OutgoingEvent> events) override {
        ++calls_;
        if (is_away_) co_return make_error(Errc::unavailable, "the sink is away");
        std::size_t taken = events.size();
        const bool fails = random_.chance(failures_);
        if (fails) taken = random_.below(events.size() + 1);
        for (std::size_t i = 0; i < taken; ++i) take(std::move(events[i]));
        if (fails) co_return make_error(Errc::timed_out, "the sink did not answer");
        co_return Result<void>{};
    }

    // Of calls, so many fail in one of the three ways.
    void set_failures(double probability) { failures_ = probability; }
    void set_away(bool away) { is_away_ = away; }

    [[nodiscard]] const std::vector<port::OutgoingEvent>& taken() const { return taken_; }
    [[nodiscard]] std::vector<std::string> ids() const {
        std::vector<std::string> ids;
        for (const port::OutgoingEvent& event : taken_) ids.push_back(event.id);
        return ids;
    }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    // The last revision of which, and of all before it, the event is there.
    [[nodiscard]] std::uint64_t complete_to(const std::string& order) const {
        const auto found = complete_.find(order);
        return found == complete_.end() ? 0 : found->second;
    }
    // "" or the first break of the promise.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }

private:
    void take(port::OutgoingEvent event) {
        const std::uint64_t revision = std::stoull(event.id.substr(event.id.rfind('.') + 1));
        std::uint64_t& complete = complete_[event.order];
        if (revision == complete + 1)
            complete = revision;
        else if (revision > complete && wrong_.empty())
            wrong_ = event.id + " came when " + event.order + " was complete to " +
                     std::to_string(complete);
        taken_.push_back(std::move(event));
    }

    SeededRandom random_;
    double failures_ = 0;
    bool is_away_ = false;
    std::uint64_t calls_ = 0;
    std::vector<port::OutgoingEvent> taken_;
    std::map<std::string, std::uint64_t> complete_;
    std::string wrong_;
};

}  // namespace longhaul::test
