// The requests that the dispatcher sends, and the JSON that comes back.
#pragma once

#include "gateway/core/outcome.hpp"
#include "longhaul/base/result.hpp"
#include "longhaul/port/peer.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace longhaul::gateway {

// POST /v1/invocations to a runtime agent, with an inline body; a file's stream is added by the
// caller.
[[nodiscard]] port::PeerRequest run_request(const StartEffect& effect, const std::string& run_token,
                                            OwnerTerm owner_term, std::int64_t deadline_ms_left);

// The body of a 2xx answer; any other answer as the error in its problem document.
boost::asio::awaitable<Result<std::string>> call_for_json(port::Peer& peer, std::string address,
                                                          port::PeerRequest request, Duration limit,
                                                          std::uint64_t bytes_max);

}  // namespace longhaul::gateway
