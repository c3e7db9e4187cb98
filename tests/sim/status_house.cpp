#include "tests/sim/status_house.hpp"

namespace longhaul::sim {
namespace {

constexpr std::uint32_t kStatusesMax = 50;

}  // namespace

StatusHouse::StatusHouse(test::FakeClock& clock, test::FakeBus& bus, Notebook& notebook,
                         std::uint64_t seed)
    : clock_(clock), bus_(bus), notebook_(notebook), random_(seed) {
    start();
}

void StatusHouse::start() {
    projection_.emplace(clock_, Logger(), bus_, status_service::RegistryLimits{}, kStatusesMax);
}

void StatusHouse::kill(Duration down) {
    notebook_.trace("status service: killed");
    notebook_.saw("kills of the status service");
    projection_.reset();
    clock_.call_at(clock_.now() + down, [this, life = ++life_] {
        if (life == life_) start();
    });
}

void StatusHouse::heal() {
    loss_ = 0;
    ++life_;
    if (!projection_) start();
}

void StatusHouse::serve(test::FakePeer& peer) {
    peer.serve(address(), [this](port::PeerRequest request) { return answer(std::move(request)); });
}

boost::asio::awaitable<Result<port::PeerResponse>> StatusHouse::answer(port::PeerRequest request) {
    const auto taken = report(request.body);
    if (!taken) co_return make_error(Errc::unavailable, "the connection broke off");
    co_return test::make_response(200, wire::to_json(*taken).dump());
}

std::optional<wire::ReportAnswer> StatusHouse::report(const std::string& text) {
    if (!projection_ || random_.chance(loss_)) return std::nullopt;
    auto report = wire::decode<wire::Report>(text);
    if (!report || !report->skipped.empty()) {
        notebook_.violation("wire", "a report that cannot be read: " + text);
        return std::nullopt;
    }
    auto answer = projection_->report(std::move(*report));
    if (!answer) {
        notebook_.violation("wire", "a report was refused: " + answer.error().message);
        return std::nullopt;
    }
    if (answer->snapshot_please) notebook_.saw("reports asked for again");
    if (random_.chance(loss_)) return std::nullopt;
    return *answer;
}

}  // namespace longhaul::sim
