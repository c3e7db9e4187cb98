// Files of a real machine, by plain system calls. Every call blocks.
//
// Files are created 0600, folders 0700, descriptors are close-on-exec. A folder that make_dir()
// creates is durable when it returns. A failed sync is remembered: every later sync() of that File
// fails too, because the kernel may have dropped the pages that it could not write.
// Any thread may use a PosixDisk; one File is for one thread at a time.
#pragma once

#include "longhaul/port/disk.hpp"

namespace longhaul::system {

class PosixDisk final : public port::Disk {
public:
    [[nodiscard]] Result<std::unique_ptr<port::File>> open(const std::string& path,
                                                           port::OpenMode mode) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] Result<void> make_dir(const std::string& folder) override;
    [[nodiscard]] Result<void> sync_dir(const std::string& folder) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& folder) override;
};

}  // namespace longhaul::system
