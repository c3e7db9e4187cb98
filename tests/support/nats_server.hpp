// A real nats-server of Debian's package, on a free port of 127.0.0.1, killed by its pid at the
// end. It can be killed, stopped and started again on the same port, with what it stored.
#pragma once

#include "tests/support/temp_folder.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace longhaul::test {

struct NatsServerOptions {
    std::uint16_t port = 0;  // 0: a free one
    bool jetstream = false;
    std::string config{};  // further lines of its configuration file: tls, authorization
};

class NatsServer {
public:
    // Aborts, saying why, if the server does not come up.
    explicit NatsServer(NatsServerOptions options = {});
    ~NatsServer();
    NatsServer(const NatsServer&) = delete;
    NatsServer& operator=(const NatsServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
    // Where it keeps its files; a test may put its own there.
    [[nodiscard]] const std::string& folder() const { return folder_.path(); }

    void kill9();              // at once, without a word to its clients
    void start();              // again, on the same port
    void freeze(bool frozen);  // SIGSTOP, SIGCONT

private:
    void wait_until_it_listens();
    [[nodiscard]] std::uint16_t read_port() const;

    const NatsServerOptions options_;
    TempFolder folder_;
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

// A port of 127.0.0.1 that was free a moment ago, for a server that is to come up later.
[[nodiscard]] std::uint16_t free_port();

}  // namespace longhaul::test
