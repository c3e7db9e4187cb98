// The host agent's side of a runtime agent's control socket (wire/instance_control.hpp).
//
// Every call has a limit. Errc::unreachable means that nothing listens there; an answered refusal
// keeps the runtime agent's problem type ("load-failed", "fenced", "busy").
#pragma once

#include "host_agent/core/values.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "longhaul/wire/instance_control.hpp"

namespace longhaul::host_agent {

class AgentControl {
public:
    AgentControl(port::Peer& peer, Duration call_timeout);

    boost::asio::awaitable<Result<void>> assign(InstanceProcess process,
                                                wire::AssignRequest request);
    // Returns the stages that the runtime agent took. The limit includes the load itself.
    boost::asio::awaitable<Result<StageTrace>> load(InstanceProcess process,
                                                    wire::LoadRequest request, Duration limit);
    boost::asio::awaitable<Result<wire::InstanceStatus>> status(InstanceProcess process,
                                                                std::optional<Duration> limit = {});
    boost::asio::awaitable<Result<wire::KillOutcome>> kill(InstanceProcess process,
                                                           wire::KillOrder order);
    // The tree below the runtime agent is gone when it answers; then it exits.
    boost::asio::awaitable<Result<void>> destroy(InstanceProcess process, Duration limit);

private:
    boost::asio::awaitable<Result<std::string>> call(InstanceProcess process,
                                                     port::PeerRequest request, Duration limit);

    port::Peer& peer_;
    const Duration call_timeout_;
};

}  // namespace longhaul::host_agent
