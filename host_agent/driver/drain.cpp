#include "host_agent/driver/drain.hpp"

namespace longhaul::host_agent {

namespace {

constexpr Duration kGrace = std::chrono::seconds(10);  // SIGTERM to SIGKILL

}  // namespace

Drain::Drain(TakeFlow& takes, KillFlow& kills) : takes_(takes), kills_(kills) {}

void Drain::begin(std::optional<TimePoint> drain_by) {
    takes_.refuse(true);
    drain_by_ = drain_by;
    stopped_ = false;
}

void Drain::end() {
    takes_.refuse(false);
    drain_by_.reset();
}

void Drain::tick(TimePoint now) {
    if (!on() || stopped_ || !drain_by_ || now < *drain_by_) return;
    stopped_ = true;
    kills_.stop_all(kGrace);
}

}  // namespace longhaul::host_agent
