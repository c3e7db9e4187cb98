// A host that reaches nobody, with real runtime agents: LONGHAUL_RUNTIME_AGENT names the program.
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/house.hpp"

namespace longhaul::host_agent {
namespace {

constexpr const char* kForEver = "while :; do sleep 0.02; done";

}  // namespace

TEST_CASE("a host that reaches nobody stops what may be tried again elsewhere, and that alone") {
    if (runtime_agent_path().empty()) {
        WARN("skipped: LONGHAUL_RUNTIME_AGENT does not name runtime_agent_ext");
        return;
    }
    House house;
    house.stop_host();
    house.config.alone_after = std::chrono::milliseconds(500);
    house.start_host();
    const auto once = House::shell("once", kForEver);
    auto again = House::shell("again", kForEver);
    again.function.name = FunctionName{"again"};
    again.function.version = Digest{"sha256:" + std::string(64, '2')};
    again.function.retry.max_attempts = 2;
    again.function.retry.on |= set_of(FailureReason::lost);
    (void)house.run(once);
    (void)house.run(again);
    (void)house.wait_for(again.key, wire::Rank::running);
    house.stop_host();
    house.config.status_service = "127.0.0.1:1";  // where nobody listens
    house.start_host();
    const wire::StatusEntry end = house.wait_for(again.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::lost);
    CHECK(end.stop_cause == StopCause::none);
    CHECK(end.tree_gone);
    INFO(end.message);
    CHECK(end.message.find("which reached nobody for 500ms") != std::string::npos);
    CHECK(house.wait_for(once.key, wire::Rank::running).rank == wire::Rank::running);
}

}  // namespace longhaul::host_agent
