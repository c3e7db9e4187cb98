// Reads the registry of a status service: the hosts that have reported to it, so that a gateway
// that starts knows where it can send work before the next announcements come.
#pragma once

#include "longhaul/port/peer.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::gateway {

struct RegistryLimits {
    Duration call_limit = std::chrono::seconds(5);
    Duration backoff_min = std::chrono::milliseconds(100);
    Duration backoff_max = std::chrono::seconds(5);
};

// Those of GET /v1/hosts that were heard within `silence_max`. One that cannot be read is left out:
// its announcement will say the same.
[[nodiscard]] Result<std::vector<wire::HostAnnouncement>> decode_hosts(std::string_view text,
                                                                       Duration silence_max);

boost::asio::awaitable<Result<std::vector<wire::HostAnnouncement>>> read_hosts(
    port::Peer& peer, std::string address, Duration call_limit, Duration silence_max);

}  // namespace longhaul::gateway
