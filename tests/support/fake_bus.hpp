// A Bus that loses, repeats, delays and so reorders, by seed. Without faults it delivers in order,
// one turn of the loop later.
//
// One thread, one FakeClock, one io_context.
#pragma once

#include "longhaul/port/bus.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/seeded_random.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace longhaul::test {

struct BusFaults {
    double drop = 0;       // of deliveries, each subscriber on its own
    double duplicate = 0;  // of deliveries: a second one, with its own delay
    double delayed = 0;    // of deliveries: later by up to delay_max, so that others overtake
    Duration delay_max{0};
    bool cut = false;           // nothing passes, publish() still succeeds
    bool disconnected = false;  // publish() answers Errc::unavailable
};

class FakeBus final : public port::Bus {
public:
    FakeBus(boost::asio::any_io_executor executor, FakeClock& clock, std::uint64_t seed);
    ~FakeBus() override;
    FakeBus(const FakeBus&) = delete;
    FakeBus& operator=(const FakeBus&) = delete;

    [[nodiscard]] Result<void> publish(std::string subject, std::string payload) override;
    [[nodiscard]] Result<std::unique_ptr<port::Subscription>> subscribe(std::string pattern,
                                                                        Handler handler) override;

    void set_faults(BusFaults faults);

    [[nodiscard]] std::uint64_t published() const;
    [[nodiscard]] std::uint64_t delivered() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with deliveries under way and with subscriptions
};

}  // namespace longhaul::test
