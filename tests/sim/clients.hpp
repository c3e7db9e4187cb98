// What clients do, as coroutines of one gateway process: each writes down what it was told.
//
// An error that a dying or stopping gateway may answer with tells a client nothing; any other is
// checked. References outlive the coroutines: they end with GatewayLife::clients().
#pragma once

#include "tests/sim/gateway_life.hpp"

#include <string>
#include <vector>

namespace longhaul::sim {

inline const TenantName kTenants[] = {TenantName{"acme"}, TenantName{"bolt"}};

class Clients {
public:
    Clients(Notebook& notebook, Witness& witness, test::FakeClock& clock)
        : notebook_(notebook), witness_(witness), clock_(clock) {}

    // Everything of a submit follows from its number: the same number is the same request.
    boost::asio::awaitable<void> submit(gateway::Gateway& gateway, std::uint64_t number);
    // The same key with another body: refused, if the key was accepted.
    boost::asio::awaitable<void> misuse_key(gateway::Gateway& gateway, std::uint64_t number);
    boost::asio::awaitable<void> read(gateway::Gateway& gateway, InvocationId id);
    boost::asio::awaitable<void> wait_end(gateway::Gateway& gateway, InvocationId id);
    boost::asio::awaitable<void> stop(gateway::Gateway& gateway, InvocationId id, StopCause cause);
    // One who loses patience.
    boost::asio::awaitable<void> cancel_then_kill(gateway::Gateway& gateway, InvocationId id,
                                                  Duration patience);
    boost::asio::awaitable<void> patch(gateway::Gateway& gateway, gateway::PatchRequest request);
    boost::asio::awaitable<void> pause(gateway::Gateway& gateway, FunctionName name, bool paused);
    // Of every tenant.
    boost::asio::awaitable<void> put_function(gateway::Gateway& gateway, FunctionSpec spec);
    boost::asio::awaitable<void> put_limits(gateway::Gateway& gateway, RunLimits limits);
    // Everything that anybody was told or that ran; with the bytes of results if `deep`.
    boost::asio::awaitable<void> read_all(gateway::Gateway& gateway, bool deep);

private:
    boost::asio::awaitable<void> check_result(gateway::Gateway& gateway, Invocation invocation);
    [[nodiscard]] TenantName tenant_of(const InvocationId& id) const;
    void take(const InvocationId& id, const Result<gateway::Snapshot>& answer);

    Notebook& notebook_;
    Witness& witness_;
    test::FakeClock& clock_;
};

}  // namespace longhaul::sim
