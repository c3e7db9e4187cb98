// A Peer without sockets: calls go to handlers registered under an address, with loss, delay and
// partitions by seed.
//
// A call that is lost on its way there or back ends with Errc::timed_out at its limit; on the way
// back its effect has happened. A caller that gives up does not stop the handler, as with a server
// that has read the whole request. One thread, one FakeClock, one io_context.
#pragma once

#include "longhaul/port/peer.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/seeded_random.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>

namespace longhaul::test {

struct PeerFaults {
    double refuse = 0;         // Errc::unreachable: certainly no effect
    double lose_request = 0;   // no effect, Errc::timed_out
    double lose_response = 0;  // effect, Errc::timed_out
    double break_off = 0;      // effect, Errc::unavailable at once
    Duration delay_max{0};     // each way, uniformly
};

class FakePeer final : public port::Peer {
public:
    using Handler =
        std::function<boost::asio::awaitable<Result<port::PeerResponse>>(port::PeerRequest)>;

    FakePeer(boost::asio::any_io_executor executor, FakeClock& clock, std::uint64_t seed);
    ~FakePeer() override;
    FakePeer(const FakePeer&) = delete;
    FakePeer& operator=(const FakePeer&) = delete;

    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration limit) override;

    // From now on `address` is answered by `handler` (in place of a former one).
    void serve(std::string address, Handler handler);
    // The server dies: its callers get Errc::unavailable, its running handlers are cancelled
    // (terminal). What they refer to must live until running(address) is 0.
    void remove(const std::string& address);
    [[nodiscard]] std::size_t running(const std::string& address) const;

    void set_faults(PeerFaults faults);
    // Overrides the common faults for one address.
    void set_faults(const std::string& address, PeerFaults faults);
    // A partition: requests to, and responses from, `address` are lost while it lasts.
    void set_cut(const std::string& address, bool cut);

    [[nodiscard]] std::uint64_t calls() const;

private:
    struct Call;
    struct State;
    std::shared_ptr<State> state_;  // shared with handlers that outlive their callers
};

// A body that is there already, as one chunk.
[[nodiscard]] std::unique_ptr<port::ByteSource> make_source(std::string bytes);
[[nodiscard]] port::PeerResponse make_response(int status, std::string body,
                                               port::Headers headers = {});

}  // namespace longhaul::test
