// A host agent and a status service on real ports of this machine, for tests with real runtime
// agents: a folder of its own, free ports, a bus whose messages are kept.
#pragma once

#include "host_agent/app.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "status_service/app.hpp"
#include "tests/support/run.hpp"
#include "tests/unit/host_agent/machine_ports.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::host_agent {

// "" where no runtime agent is to be had: the tests that need one say so and pass.
[[nodiscard]] std::string runtime_agent_path();

struct Reply {
    int status = 0;
    std::string body{};
    port::Headers headers{};

    [[nodiscard]] wire::Json json() const;
    [[nodiscard]] std::string problem() const;  // the type's last part
};

class House {
public:
    House();
    ~House();
    House(const House&) = delete;
    House& operator=(const House&) = delete;

    void start_host();
    void stop_host();  // as SIGTERM: leaves the runs

    Reply call(const std::string& address, const std::string& method, const std::string& target,
               const std::string& body = "", port::Headers headers = {});
    Reply host(const std::string& method, const std::string& target, const wire::Json& body = {});

    // A function that is a shell command.
    [[nodiscard]] static wire::TakeRequest shell(const std::string& id, const std::string& script,
                                                 AttemptNumber attempt = 1);
    // Takes and starts; REQUIREs both to succeed.
    wire::TakeAnswer run(const wire::TakeRequest& request, const std::string& body = "");
    Reply start(const wire::TakeAnswer& taken, const wire::TakeRequest& request,
                const std::string& body = "");
    wire::StatusEntry wait_for(const wire::AttemptKey& key, wire::Rank rank);
    std::vector<wire::KillAnswer> kill(const wire::KillOrder& order);

    // Runs the loop until `done`; false after 30 s.
    [[nodiscard]] bool until(const std::function<bool()>& done);
    [[nodiscard]] wire::StatusAnswer snapshot();

    MachinePorts machine;
    test::TempFolder& folder = machine.folder;
    boost::asio::io_context& io = machine.io;
    system::SystemClock& clock = machine.clock;
    status_service::App status{io.get_executor(), {clock, machine.bus}, status_config(), Logger{}};
    std::unique_ptr<App> app;
    Config config;
    std::vector<wire::StatusBatch> batches;

private:
    static status_service::Config status_config();
    std::unique_ptr<port::Subscription> subscription_;
};

}  // namespace longhaul::host_agent
