// The View on disk, in RocksDB: its own log off, one column family, so that a batch is atomic and
// what survives a crash is a prefix.
//
// RocksDB runs one thread for flushes and one for compactions. Memory is bounded by the options:
// two write buffers, the block cache (with filters and index blocks in it) and open files.
#pragma once

#include "gateway/ledger/view.hpp"
#include "gateway/ledger/view_options.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace longhaul::gateway {

struct RocksViewOptions {
    ViewOptions view{};
    std::uint64_t write_buffer_bytes = 8u << 20;  // 64 KiB … 1 GiB; at most two of them
    std::uint64_t block_cache_bytes = 8u << 20;   // 1 MiB … 64 GiB
    int open_files_max = 64;                      // 16 … 100,000
    // Off only in tests: then closing loses what no flush wrote, as a power cut does.
    bool flush_at_close = true;
};

class RocksView {
public:
    // Creates the folder's last part if it is missing. Errc::corrupt where stored bytes fail their
    // checks, Errc::io_failed where the disk said no or another process holds the folder,
    // Errc::unsupported for the layout of a newer longhaul.
    [[nodiscard]] static Result<std::unique_ptr<View>> open(std::string folder,
                                                            RocksViewOptions options);
};

}  // namespace longhaul::gateway
