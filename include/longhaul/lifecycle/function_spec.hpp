// A function as it was deployed: one version of its document (PROTOCOL.md, 5).
//
// Immutable once accepted: an invocation keeps the version that it was accepted with. Shared by all
// invocations of a version, so it is held by shared_ptr<const FunctionSpec>.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/retry_spec.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace longhaul {

// Numbers are journalled: do not change.
enum class FunctionMode : std::uint8_t { handler = 1, http = 2, exec = 3 };

// Mode http: how the function's own server is asked.
struct HttpSpec {
    std::string path = "/";    // where runs are posted to
    std::string ready_path{};  // ready once a GET of it is 2xx; "" = once it accepts a connection

    friend bool operator==(const HttpSpec&, const HttpSpec&) = default;
};

struct FunctionSpec {
    FunctionName name;
    Digest version;       // sha256 of the canonical document
    Digest package{};     // "" = no package (exec of what is on the host)
    std::string runtime;  // handler: "python", "node", "custom"; otherwise ""
    FunctionMode mode = FunctionMode::exec;
    std::string handler{};               // "app.main"
    std::vector<std::string> command{};  // argv; in mode handler with runtime custom alone
    HttpSpec http{};                     // mode http
    std::vector<std::pair<std::string, std::string>> env{};

    std::uint32_t max_running = 10;      // attempts at once, all hosts together; 1 … 100,000
    std::uint32_t concurrency = 1;       // runs at once in one instance; 1 … 100
    std::uint32_t max_queued = 100'000;  // accepted and not started; 1 … 10,000,000
    std::uint64_t max_queued_bytes = 1u << 30;  // of their events; 1 … 1 TiB
    std::uint32_t key_max_running = 1;  // attempts at once of a concurrency key; 0 = no limit
    std::uint32_t memory_mb = 512;      // 1 … 1,048,576
    std::uint32_t cpu_millis = 1000;    // 1 … 1,024,000
    Duration timeout = std::chrono::minutes(15);  // start to end; 1 s … execution_timeout_max
    Duration load_timeout = std::chrono::seconds(30);
    Duration queue_ttl = std::chrono::hours(24);
    Duration cancel_grace = std::chrono::seconds(30);
    Duration timeout_grace = std::chrono::seconds(10);
    Duration kill_grace = std::chrono::seconds(2);
    Duration keep_alive = std::chrono::minutes(5);  // of an idle loaded instance
    std::uint64_t body_max = 6u << 20;              // bytes
    std::uint64_t result_max = 6u << 20;            // bytes
    bool result_is_file = false;                    // exec: $LONGHAUL_RESULT instead of stdout
    RetrySpec retry{};
    // A run that told neither progress nor a heartbeat for so long is suspect. 0: never.
    Duration heartbeat_timeout = Duration::zero();

    friend bool operator==(const FunctionSpec&, const FunctionSpec&) = default;
};

// What a run occupies of its host, as far as anybody can say before: its share of an instance.
[[nodiscard]] inline std::uint32_t memory_mb_of_run(const FunctionSpec& function) {
    return (function.memory_mb + function.concurrency - 1) / function.concurrency;
}
[[nodiscard]] inline std::uint32_t cpu_millis_of_run(const FunctionSpec& function) {
    return (function.cpu_millis + function.concurrency - 1) / function.concurrency;
}

}  // namespace longhaul
