// What one host agent can be told, with defaults, units and bounds (read_config() has the bounds).
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/blob/open_store.hpp"

#include <cstdint>
#include <string>

namespace longhaul::host_agent {

struct Config {
    std::string data_dir = "longhaul-host";
    std::string host_id{};                  // "" = kept in data_dir, made at the first start
    std::string listen = "127.0.0.1:7090";  // internal
    std::string admin_listen = "127.0.0.1:7091";
    // What gateways are told, where that is not `listen`; port 0 = that of the listener. Instances
    // listen on the same IP.
    std::string advertise{};
    std::string status_service = "127.0.0.1:7080";
    std::string secret{};         // of the cluster; "" = no check
    std::string blob_dir{};       // of the directory blob store
    blob::S3Options s3{};         // with an endpoint: in place of the folder
    std::string runtime_agent{};  // path; "" = beside the own executable
    std::string function_path{};  // PATH of functions; "" = the runtime agent's

    // Capacity.
    std::uint32_t memory_mb = 0;   // 0 = the machine's
    std::uint32_t cpu_millis = 0;  // 0 = not limited; told to gateways, which count
    std::uint32_t instances_max = 256;
    std::uint32_t runs_max = 10'000;  // live, and ended but not acknowledged

    // Instances.
    std::uint32_t uid_first = 200'000;  // as root: where blocks of instance uids begin
    std::uint32_t uid_count = 1'000;    // uids of one host agent's block
    std::string uid_claims_dir = "/run/longhaul/uids";  // the machine's: who has which block
    std::uint32_t pids_max = 512;                       // processes and threads of one instance
    bool cgroups = true;                   // limits by cgroups, where they are writable
    std::uint64_t file_max = 10ull << 30;  // bytes of one file that a function writes
    std::uint32_t open_files_max = 4'096;
    std::uint64_t run_log_max = 10u << 20;  // bytes of one run's log
    Duration take_lease = std::chrono::seconds(30);
    Duration instance_lease = std::chrono::seconds(10);  // an idle instance for its last gateway
    Duration start_timeout = std::chrono::seconds(10);        // spawn to ready
    Duration control_timeout = std::chrono::seconds(5);       // one call to a runtime agent
    Duration hear_timeout = std::chrono::seconds(2);      // of agents whom a question makes us ask
    std::uint32_t hear_at_once = 64;                      // of them, for one question
    Duration destroy_timeout = std::chrono::seconds(10);  // its own way; then SIGKILL
    Duration drain_by =
        Duration::zero();  // at SIGTERM: finish what runs, for so long; 0 = leave it
    Duration drain_grace = std::chrono::seconds(10);  // of what a drain stops
    // Nobody was reached for so long: what may be tried again elsewhere is stopped. The gateway's
    // hosts.grace, less half a minute.
    Duration alone_after = std::chrono::seconds(270);
    Duration fence_retention = std::chrono::hours(24);
    std::uint32_t fences_max = 200'000;

    // Packages, logs, results.
    std::uint64_t package_max = 64u << 20;
    std::uint64_t package_cache_max = 10ull << 30;
    std::uint64_t unpacked_max = 1ull << 30;
    std::uint32_t unpacked_entries_max = 100'000;
    Duration fetch_timeout = std::chrono::seconds(60);
    Duration log_retention = std::chrono::hours(24 * 7);
    std::uint64_t log_bytes_max = 10ull << 30;

    // Reports.
    Duration announce_interval = std::chrono::seconds(2);
    Duration report_timeout = std::chrono::seconds(5);
    Duration report_backoff_max = std::chrono::seconds(5);
    Duration progress_wait = std::chrono::seconds(1);     // of progress and usage, for company
    Duration digest_interval = std::chrono::seconds(30);  // between two digests of all attempts
    std::uint32_t report_entries_max = 500;               // of one report
    std::uint64_t report_bytes_max = 512u << 10;          // of one report; a bus takes 1 MiB

    // Journal.
    std::uint32_t journal_compact_records = 20'000;
    std::uint64_t journal_segment_bytes = 8u << 20;
    Duration stop_timeout = std::chrono::seconds(5);  // of handlers, at the end
};

// Reads everything and ends the reading: all problems in one message.
[[nodiscard]] Result<Config> read_config(ConfigReader& reader);

}  // namespace longhaul::host_agent
