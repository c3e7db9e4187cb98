// Code packages on this host: fetched by digest from a blob store, verified, unpacked, published by
// rename, kept in a bounded LRU.
//
//     FOLDER/<64 hex>/          an unpacked package, complete; readable by every instance
//     FOLDER/tmp/               what is being made; emptied at start
//     FOLDER/boot_id            the boot in which the packages were made
//
// Nothing is synced: after another boot of the machine the cache is dropped instead.
// Runs on one executor; disk, hashing and unpacking on Workers.
//   (1) A digest is fetched at most once at a time; whoever else wants it waits for that.
//   (2) A package is never removed while a Pin of it exists or `in_use` says so.
#pragma once

#include "host_agent/packages/unpack.hpp"
#include "longhaul/base/id.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/blob_store.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/workers.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::host_agent {

struct PackageLimits {
    std::uint64_t package_max = 64u << 20;  // bytes, packed
    std::uint64_t cache_max = 10ull << 30;  // bytes, unpacked, all together
    Duration fetch_timeout = std::chrono::seconds(60);
    UnpackLimits unpack{};
};

struct PackageCounters {
    std::uint64_t hits = 0;
    std::uint64_t fetched = 0;
    std::uint64_t failed = 0;
    std::uint64_t evicted = 0;
    std::uint64_t bytes = 0;  // kept now
};

class PackageCache {
public:
    // Keeps one package from being removed.
    class Pin {
    public:
        Pin() = default;
        Pin(PackageCache& cache, Digest digest);
        ~Pin();
        Pin(Pin&& other) noexcept;
        Pin& operator=(Pin&& other) noexcept;

    private:
        PackageCache* cache_ = nullptr;
        Digest digest_;
    };

    struct Ready {
        Pin pin;
        std::string folder;
        double fetch_ms = 0;
        double unpack_ms = 0;
    };

    using InUse = std::function<bool(const Digest&)>;

    PackageCache(boost::asio::any_io_executor executor, const port::Clock& clock, Logger logger,
                 port::Workers& workers, port::BlobStore& blobs, std::string folder,
                 const PackageLimits& limits, InUse in_use);

    // Finds what is there. Before anything else.
    boost::asio::awaitable<Result<void>> open();

    // The unpacked package. Errc::not_found, Errc::invalid_argument and Errc::too_large blame the
    // package, anything else this host.
    boost::asio::awaitable<Result<Ready>> ensure(Digest digest);

    [[nodiscard]] std::string folder_of(const Digest& digest) const;
    [[nodiscard]] std::vector<Digest> digests() const;
    [[nodiscard]] const PackageCounters& counters() const { return counters_; }

private:
    struct Entry {
        std::uint64_t bytes = 0;
        std::uint64_t pins = 0;
        TimePoint used_at{};
        bool ready = false;
    };

    boost::asio::awaitable<Result<Ready>> make_first(Digest digest);
    boost::asio::awaitable<Result<Ready>> make(Digest digest);
    boost::asio::awaitable<Result<void>> fetch(const Digest& digest, const std::string& file);
    boost::asio::awaitable<void> make_room();
    [[nodiscard]] Result<Ready> hit(const Digest& digest, Entry& entry);

    // Constant after construction.
    const port::Clock& clock_;
    const Logger logger_;
    port::Workers& workers_;
    port::BlobStore& blobs_;
    const std::string folder_;
    const PackageLimits limits_;
    const InUse in_use_;

    std::map<Digest, Entry> entries_;
    net::Notifier finished_;
    std::uint64_t made_ = 0;  // names temporary folders
    PackageCounters counters_;
};

}  // namespace longhaul::host_agent
