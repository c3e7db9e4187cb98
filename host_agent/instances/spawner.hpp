// Starts runtime agents as processes of their own session, which outlive this host agent.
//
//     DATA/instances/<id>/            the instance's folder: control.sock, its runner, work/
//
// As root every instance has its own uid from a range that is this host agent's alone
// (uid_range.hpp), for its function; the runtime agent itself keeps ours. Without root, isolation
// is against accident only.
#pragma once

#include "host_agent/instances/processes.hpp"
#include "host_agent/instances/uid_range.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::host_agent {

struct SpawnSettings {
    std::string program;  // runtime_agent_ext
    std::string instances_dir;
    std::string log_dir;
    std::string result_dir;
    std::string data_listen = "127.0.0.1:0";  // where instances take their runs
    std::string host_socket;                  // path of our unix socket for runtime agents
    std::string function_path;                // "" = the runtime agent's default
    UidRangeSettings uids{};
    std::uint32_t pids_max = 0;
    bool cgroups = true;
    std::uint64_t file_max = 0;  // bytes
    std::uint32_t open_files_max = 0;
    std::uint64_t run_log_max = 0;  // bytes
};

class Spawner {
public:
    explicit Spawner(SpawnSettings settings);

    // Makes what all instances share. Errc::invalid_argument where a socket's path would be longer
    // than the kernel takes; Errc::not_found where there is no runtime agent; those of
    // UidRange::claim.
    [[nodiscard]] Result<void> open();

    // As root: the folder above ours that functions of other uids cannot pass, so that all of them
    // run as we do; "" = none.
    [[nodiscard]] const std::string& obstacle() const { return obstacle_; }

    // User ids for instances; none: all run as we do.
    [[nodiscard]] const UidRange& uids() const { return uids_; }

    // As Processes::spawn(). What becomes of the process is the caller's to watch.
    [[nodiscard]] Result<InstanceProcess> spawn(const Processes::Order& order);

    // Removes an instance's folder. REQUIRES its processes to be gone. Blocks.
    void clean(const InstanceId& id) const;
    // Folders of instances for which `known` is false, of an earlier life.
    [[nodiscard]] std::vector<InstanceId> leftovers(const Processes::IsKnown& known) const;

    [[nodiscard]] std::string control_socket(const InstanceId& id) const;

private:
    [[nodiscard]] std::optional<std::uint32_t> free_uid(const Processes::Order& order);

    const SpawnSettings settings_;
    UidRange uids_;
    std::uint32_t next_uid_ = 0;
    std::string obstacle_;
};

}  // namespace longhaul::host_agent
