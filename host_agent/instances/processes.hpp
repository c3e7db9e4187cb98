// The processes of runtime agents as the keeper needs them: started, watched, ended. The one seam
// below which a host agent stands on a machine; the simulator has a machine of its own.
//
// Runs on one executor and outlives the keeper. A process is known by its InstanceProcess alone, in
// every life of the host agent: it needs not be our child.
#pragma once

#include "host_agent/core/values.hpp"
#include "longhaul/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace longhaul::host_agent {

class Processes {
public:
    virtual ~Processes() = default;

    struct Opening {
        // Ids that functions run under; count 0: all run as we do.
        std::uint32_t uid_first = 0;
        std::uint32_t uid_count = 0;
        std::string obstacle;  // as root: the folder for which they run as we do; "" = none
        std::vector<InstanceId> leftovers;  // unknown instances of which something is left
    };
    using IsKnown = std::function<bool(const InstanceId&)>;
    // Once, before everything else. An error: there is no machine to run instances on.
    [[nodiscard]] virtual Result<Opening> open(const IsKnown& is_known) = 0;

    struct Order {
        InstanceId id;
        std::string secret;
        std::uint32_t memory_mb = 0;
        std::vector<std::uint32_t> uids_taken;  // by instances
    };
    // Blocks for about a millisecond. Errc::overloaded, "no-capacity": all user ids are taken.
    [[nodiscard]] virtual Result<InstanceProcess> spawn(const Order& order) = 0;

    [[nodiscard]] virtual bool lives(const InstanceProcess& process) = 0;

    // Success: it is gone. Errc::timed_out after `limit`; any other error: it cannot be watched.
    virtual boost::asio::awaitable<Result<void>> wait_gone(InstanceProcess process,
                                                           Duration limit) = 0;
    // SIGKILL, then as wait_gone().
    virtual boost::asio::awaitable<Result<void>> kill(InstanceProcess process, Duration limit) = 0;

    // Kills what an instance whose process is gone has let loose. Whether nothing is left of it.
    virtual boost::asio::awaitable<bool> sweep(InstanceId id, std::uint32_t uid) = 0;

    // Removes what lies on the disk for an instance. REQUIRES its processes to be gone.
    virtual boost::asio::awaitable<void> clean(InstanceId id) = 0;
};

}  // namespace longhaul::host_agent
