// Packages in a folder: <folder>/sha256/ab/cdef…, one file per digest, published by rename.
//
// Several processes may share the folder. Calls return on the awaiting executor; the disk is
// touched on Workers. Call from one executor.
//   (1) A file under its digest is whole and durable. What a crash leaves lies in <folder>/tmp.
#pragma once

#include "longhaul/port/blob_store.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/workers.hpp"

#include <string>

namespace longhaul::blob {

struct DirectoryBlobStoreOptions {
    std::string folder;
    std::uint64_t read_bytes_max = 16ULL << 20;  // one get() returns at most so much
};

class DirectoryBlobStore final : public port::BlobStore {
public:
    DirectoryBlobStore(port::Disk& disk, port::Workers& workers, DirectoryBlobStoreOptions options);

    // Blocking: removes what crashes left behind. REQUIRES: no other process puts meanwhile.
    [[nodiscard]] Result<void> remove_leftovers();

    // Errc::invalid_argument: no digest. Otherwise as the port says; a get() over read_bytes_max is
    // shortened to it.
    boost::asio::awaitable<Result<void>> put_file(Digest digest, std::string path) override;
    boost::asio::awaitable<Result<std::string>> get(Digest digest, std::uint64_t offset,
                                                    std::uint64_t length) override;
    boost::asio::awaitable<Result<std::uint64_t>> head(Digest digest) override;
    boost::asio::awaitable<Result<void>> remove(Digest digest) override;

private:
    struct Place {
        std::string folder;
        std::string path;
        std::string hex;
    };
    [[nodiscard]] Result<Place> place_of(const Digest& digest) const;
    [[nodiscard]] Result<void> put_now(const Digest& digest, const std::string& path);
    [[nodiscard]] Result<void> copy(const std::string& from, port::File& to);
    [[nodiscard]] Result<std::string> get_now(const Digest& digest, std::uint64_t offset,
                                              std::uint64_t length);
    [[nodiscard]] Result<std::uint64_t> head_now(const Digest& digest);
    [[nodiscard]] Result<void> remove_now(const Digest& digest);

    port::Disk& disk_;
    port::Workers& workers_;
    const DirectoryBlobStoreOptions options_;
};

}  // namespace longhaul::blob
