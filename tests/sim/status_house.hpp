// The status service as a process that can be killed: the production code over the lossy bus, all
// of whose memory goes with it. Reports and answers to them may be lost on the way.
#pragma once

#include "longhaul/wire/host_messages.hpp"
#include "status_service/driver/projection.hpp"
#include "tests/sim/notebook.hpp"
#include "tests/support/fake_bus.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/seeded_random.hpp"

#include <optional>
#include <string>

namespace longhaul::sim {

class StatusHouse {
public:
    StatusHouse(test::FakeClock& clock, test::FakeBus& bus, Notebook& notebook, std::uint64_t seed);

    void kill(Duration down);
    void set_loss(double loss) { loss_ = loss; }
    void heal();

    // Answers POST /v1/reports under address() as long as `peer` lives.
    void serve(test::FakePeer& peer);
    [[nodiscard]] static const char* address() { return "status"; }

    // The answer to a Report, or nothing: it, or the report, was lost.
    [[nodiscard]] std::optional<wire::ReportAnswer> report(const std::string& text);

private:
    void start();
    boost::asio::awaitable<Result<port::PeerResponse>> answer(port::PeerRequest request);

    test::FakeClock& clock_;
    test::FakeBus& bus_;
    Notebook& notebook_;
    test::SeededRandom random_;
    double loss_ = 0;
    std::uint64_t life_ = 0;
    std::optional<status_service::Projection> projection_;
};

}  // namespace longhaul::sim
