// Which processes of an instance are its own: those that were there when its load finished.
// Whatever else lives after a run is a stranger, and the instance may not be used again (I10).
#pragma once

#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/tree.hpp"

#include <vector>

namespace longhaul::runtime_agent_ext {

class Census {
public:
    // `members_suffice`: the function cannot leave its cgroup, so the cgroup's list is all.
    Census(const process::Cgroup& cgroup, bool members_suffice);

    void take_baseline();
    [[nodiscard]] bool has_strangers() const;
    // Nothing at all lives, proven by listing.
    [[nodiscard]] bool nobody_lives() const;

private:
    [[nodiscard]] std::vector<process::ProcessId> living() const;

    const process::Cgroup& cgroup_;
    const bool members_suffice_;
    std::vector<process::ProcessId> baseline_;  // sorted
};

}  // namespace longhaul::runtime_agent_ext
