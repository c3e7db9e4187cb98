// A call that goes on without the one who made it: a request that has left a process arrives
// though the process has died.
#pragma once

#include "longhaul/net/task_group.hpp"
#include "tests/support/fake_peer.hpp"

#include <string>

namespace longhaul::sim {

// Errc::cancelled: the caller was cancelled; the call belongs to `wires`, which outlive it.
boost::asio::awaitable<Result<port::PeerResponse>> call_apart(net::TaskGroup& wires,
                                                              test::FakePeer& peer,
                                                              std::string address,
                                                              port::PeerRequest request,
                                                              Duration limit);

}  // namespace longhaul::sim
