// Answers to look-ups: of single runs, of everything, of the host itself.
#pragma once

#include "host_agent/driver/lease_flow.hpp"
#include "longhaul/wire/host_messages.hpp"

namespace longhaul::host_agent {

// Only what is durable is told. `silent`: what LeaseFlow::hear_of() said before.
boost::asio::awaitable<Result<wire::StatusAnswer>> answer_status(Ledger& ledger, HostId host,
                                                                 wire::StatusQuery query,
                                                                 std::set<InstanceId> silent = {});

// About what an entry takes in JSON: enough to keep a message near its limit.
[[nodiscard]] std::size_t weight(const wire::StatusEntry& entry);

// Idle instances by function and package.
[[nodiscard]] std::vector<wire::LoadedInstances> idle_instances(const HostCore& core);

// Everything about this host in one document, for people.
[[nodiscard]] wire::Json describe(const HostCore& core);

}  // namespace longhaul::host_agent
