// The folder of a journal: segment files named by their first position, and a lock file.
//
// Blocking; used on one thread at a time, but for the paths. No manifest: the names are the truth.
// A file has its final name only once its header (and first batch, but for the very first segment)
// is durable. Other files in the folder are left alone.
#pragma once

#include "longhaul/journal/batch_codec.hpp"
#include "longhaul/port/disk.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::journal {

struct Segment {
    Position first = 1;
    std::uint64_t bytes = 0;
};

// Names of files that are being made; removed when a journal opens.
inline constexpr std::string_view kPreparedName = "next.prepared";  // in the background
inline constexpr std::string_view kHurriedName = "next.hurried";    // by an append that cannot wait

class SegmentStore {
public:
    SegmentStore(port::Disk& disk, std::string folder);

    // Makes the folder and takes its lock, kept until the store is destroyed. Errc::conflict:
    // another process uses this journal.
    [[nodiscard]] Result<void> lock();

    // The segments in order, after removing what an earlier process had not finished.
    [[nodiscard]] Result<std::vector<Segment>> list();

    [[nodiscard]] Result<std::unique_ptr<port::File>> open(Position first, port::OpenMode mode);
    // Creates `name`, empty. A former one is removed.
    [[nodiscard]] Result<std::unique_ptr<port::File>> create(std::string_view name);
    // Gives `name` its final name, durably.
    [[nodiscard]] Result<void> publish(std::string_view name, Position first);
    // Durable only after sync().
    [[nodiscard]] Result<void> remove(Position first);
    [[nodiscard]] Result<void> sync();
    void discard(std::string_view name);

    [[nodiscard]] std::string path_of(Position first) const;

private:
    port::Disk& disk_;
    const std::string folder_;
    std::unique_ptr<port::File> lock_;
};

// Fills a new file with zeros, a step at a time, so that later writes into it allocate nothing and
// their sync has nothing but data to write.
class ZeroFill {
public:
    ZeroFill(port::File& file, std::uint64_t bytes) : file_{file}, bytes_{bytes} {}

    // True once all is written and synced. Syncs now and then, so that a commit beside it does not
    // wait behind a long write-back.
    [[nodiscard]] Result<bool> step();
    [[nodiscard]] Result<void> finish();

private:
    port::File& file_;
    const std::uint64_t bytes_;
    std::uint64_t done_ = 0;
};

}  // namespace longhaul::journal
