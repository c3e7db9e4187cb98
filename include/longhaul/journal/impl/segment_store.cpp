#include "longhaul/journal/segment_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace longhaul::journal {

namespace {

constexpr std::string_view kLockName = "lock";
constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kDigits = 20;

constexpr std::size_t kZeroChunkBytes = 256 * 1024;
constexpr std::uint64_t kZeroSyncBytes = 2 * 1024 * 1024;

std::optional<Position> parse_segment_name(std::string_view name) {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) {
        return std::nullopt;
    }
    Position first = 0;
    const char* end = name.data() + kDigits;
    const auto [stopped, failure] = std::from_chars(name.data(), end, first);
    if (failure != std::errc{} || stopped != end || first == 0) {
        return std::nullopt;
    }
    return first;
}

}  // namespace

SegmentStore::SegmentStore(port::Disk& disk, std::string folder)
    : disk_{disk}, folder_{std::move(folder)} {}

Result<void> SegmentStore::lock() {
    if (auto made = disk_.make_dir(folder_); !made) {
        return made;
    }
    auto file = disk_.open(fmt::format("{}/{}", folder_, kLockName), port::OpenMode::write);
    if (!file) {
        return file.error();
    }
    if (auto locked = (*file)->lock(); !locked) {
        if (locked.error().code == Errc::conflict) {
            return make_error(
                Errc::conflict,
                fmt::format("the journal in {} is in use by another process", folder_));
        }
        return locked;
    }
    lock_ = std::move(*file);
    return {};
}

Result<std::vector<Segment>> SegmentStore::list() {
    const auto names = disk_.list(folder_);
    if (!names) {
        return names.error();
    }
    std::vector<Segment> segments;
    for (const auto& name : *names) {
        if (name == kPreparedName || name == kHurriedName) {
            discard(name);
            continue;
        }
        const auto first = parse_segment_name(name);
        if (!first) {
            continue;
        }
        const auto file = open(*first, port::OpenMode::read);
        if (!file) {
            return file.error();
        }
        const auto bytes = (*file)->size();
        if (!bytes) {
            return bytes.error();
        }
        segments.push_back(Segment{*first, *bytes});
    }
    // An earlier process may have died between a rename and its sync.
    if (auto synced = disk_.sync_dir(folder_); !synced) {
        return synced.error();
    }
    return segments;
}

Result<std::unique_ptr<port::File>> SegmentStore::open(Position first, port::OpenMode mode) {
    return disk_.open(path_of(first), mode);
}

Result<std::unique_ptr<port::File>> SegmentStore::create(std::string_view name) {
    const std::string path = fmt::format("{}/{}", folder_, name);
    auto file = disk_.open(path, port::OpenMode::create_new);
    if (!file && file.error().code == Errc::conflict) {
        if (auto removed = disk_.remove(path); !removed) {
            return removed.error();
        }
        file = disk_.open(path, port::OpenMode::create_new);
    }
    return file;
}

Result<void> SegmentStore::publish(std::string_view name, Position first) {
    if (auto moved = disk_.rename(fmt::format("{}/{}", folder_, name), path_of(first)); !moved) {
        return moved;
    }
    return disk_.sync_dir(folder_);
}

Result<void> SegmentStore::remove(Position first) { return disk_.remove(path_of(first)); }

Result<void> SegmentStore::sync() { return disk_.sync_dir(folder_); }

void SegmentStore::discard(std::string_view name) {
    // What stays is found again, and again removed, when the journal opens.
    (void)disk_.remove(fmt::format("{}/{}", folder_, name));
}

std::string SegmentStore::path_of(Position first) const {
    return fmt::format("{}/{:020}{}", folder_, first, kSuffix);
}

Result<bool> ZeroFill::step() {
    static constexpr std::array<std::byte, kZeroChunkBytes> kZeros{};
    if (done_ < bytes_) {
        const std::uint64_t length = std::min<std::uint64_t>(kZeroChunkBytes, bytes_ - done_);
        if (auto written = file_.write_at(done_, std::span{kZeros}.first(length)); !written) {
            return written.error();
        }
        done_ += length;
    }
    if (done_ == bytes_ || done_ % kZeroSyncBytes == 0) {
        if (auto synced = file_.sync(); !synced) {
            return synced.error();
        }
    }
    return done_ == bytes_;
}

Result<void> ZeroFill::finish() {
    for (;;) {
        const auto done = step();
        if (!done) {
            return done.error();
        }
        if (*done) {
            return {};
        }
    }
}

}  // namespace longhaul::journal
