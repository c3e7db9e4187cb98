// A server that speaks enough of the NATS protocol to be connected to, and that can be told to
// forget subscriptions or to swallow messages: what real ones have been seen to do to clients.
//
// Its own thread; ended by its destructor. Routes within one connection, by exact subject and `*`
// as a last token.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace longhaul::test {

class DeafNatsServer {
public:
    DeafNatsServer();
    ~DeafNatsServer();
    DeafNatsServer(const DeafNatsServer&) = delete;
    DeafNatsServer& operator=(const DeafNatsServer&) = delete;

    [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }

    // Forgets who is subscribed now; later subscriptions are heard.
    void forget_subscriptions() { forget_ = true; }
    // Routes nothing at all any more, on this connection; a new one is served.
    void go_deaf() { deaf_ = true; }

    [[nodiscard]] int connections() const { return connections_; }
    [[nodiscard]] int subscriptions() const { return subscriptions_; }

private:
    void run();
    void serve(int fd);

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> forget_{false};
    std::atomic<bool> deaf_{false};
    std::atomic<int> connections_{0};
    std::atomic<int> subscriptions_{0};
    std::thread thread_;
};

}  // namespace longhaul::test
