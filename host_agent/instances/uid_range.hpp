// The user ids that this host agent's functions run under, apart from those of every other host
// agent on the machine.
//
// What a killed runtime agent let loose is found by its user id and killed (keeper.cpp). Two host
// agents that hand out the same ids would kill each other's functions. So each claims a block of
// ids, and keeps it for as long as anything of it may run, also while the host agent itself is
// down.
//
// A claim is a file of the machine that names its owner's data folder and is locked while the
// owner lives; and a socket in the abstract namespace, which also holds against an owner that sees
// other files (a container or chroot that shares our processes). A block whose owner is not there
// is taken over only when no process has one of its ids.
//
// Not thread-safe; used by one Spawner.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/process/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace longhaul::host_agent {

struct UidRangeSettings {
    std::string claims_dir = "/run/longhaul/uids";
    std::string owner;             // the data folder: absolute, the same at every start
    std::uint32_t first = 0;       // of the first block
    std::uint32_t count = 0;       // ids of one block
    std::uint32_t blocks = 1'000;  // tried, one after another
};

class UidRange {
public:
    // Whether some process has an id in [first, first + count).
    using InUse = std::function<bool(std::uint32_t first, std::uint32_t count)>;

    // The block claimed before, if it still is the owner's; else the first that is free.
    // Errc::overloaded when none is, Errc::io_failed when claims cannot be kept.
    [[nodiscard]] static Result<UidRange> claim(const UidRangeSettings& settings,
                                                const InUse& in_use);
    // No ids at all: functions run as we do.
    UidRange() = default;

    [[nodiscard]] std::uint32_t first() const { return first_; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    // Whether a process under that id can only be ours.
    [[nodiscard]] bool owns(std::uint32_t uid) const { return uid - first_ < count_; }

private:
    std::uint32_t first_ = 0;
    std::uint32_t count_ = 0;
    process::UniqueFd lock_;
    process::UniqueFd socket_;
};

// Asks /proc.
[[nodiscard]] bool uids_in_use(std::uint32_t first, std::uint32_t count);

}  // namespace longhaul::host_agent
