#include "tests/support/memory_disk.hpp"

#include "longhaul/base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace longhaul::test {

namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

bool is_change(DiskOp op) {
    switch (op) {
    case DiskOp::write:
    case DiskOp::sync:
    case DiskOp::truncate:
    case DiskOp::rename:
    case DiskOp::remove:
    case DiskOp::make_dir:
    case DiskOp::sync_dir: return true;
    default: return false;  // an open() that creates is one, too
    }
}

Error missing(const std::string& path) {
    return make_error(Errc::not_found, fmt::format("{}: ENOENT", path));
}

}  // namespace

class MemoryFile final : public port::File {
public:
    MemoryFile(MemoryDisk& disk, MemoryDisk::InodePtr inode, std::string path, bool writable)
        : disk_{disk},
          inode_{std::move(inode)},
          path_{std::move(path)},
          writable_{writable},
          life_{disk.life_} {}
    ~MemoryFile() override {
        if (holds_lock_ && life_ == disk_.life_) {
            inode_->locked = false;
        }
    }

    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        if (auto entered = enter(DiskOp::read); !entered) {
            return entered.error();
        }
        const std::string& bytes = inode_->visible;
        const std::uint64_t left = offset < bytes.size() ? bytes.size() - offset : 0;
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
        if (length != 0) {
            std::memcpy(into.data(), bytes.data() + offset, length);
        }
        return length;
    }

    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        LH_ASSERT(writable_);
        auto entered = enter(DiskOp::write);
        if (!entered && !disk_.tearing_) {
            return entered;
        }
        if (auto room = disk_.make_room(*inode_, offset + bytes.size(), path_); !room) {
            return room;
        }
        MemoryDisk::Change change{false, offset, {}};
        change.bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (disk_.tearing_) {
            change.bytes.resize(disk_.random_.below(change.bytes.size() + 1));
        }
        MemoryDisk::apply(inode_->visible, change);
        inode_->pending.push_back(std::move(change));
        return entered;
    }

    Result<void> sync() override {
        auto entered = enter(DiskOp::sync);
        if (!entered && !disk_.tearing_) {
            return entered;
        }
        for (const auto& change : inode_->pending) {
            if (disk_.tearing_) {
                disk_.survive_partly(inode_->durable, change);
            } else {
                MemoryDisk::apply(inode_->durable, change);
            }
        }
        // Also after a failure: the kernel marks the pages clean, a later sync skips them.
        inode_->pending.clear();
        return entered;
    }

    Result<std::uint64_t> size() override {
        if (auto entered = enter(DiskOp::size); !entered) {
            return entered.error();
        }
        return static_cast<std::uint64_t>(inode_->visible.size());
    }

    Result<void> truncate(std::uint64_t size) override {
        LH_ASSERT(writable_);
        if (auto entered = enter(DiskOp::truncate); !entered) {
            return entered;
        }
        if (auto room = disk_.make_room(*inode_, size, path_); !room) {
            return room;
        }
        MemoryDisk::Change change{true, size, {}};
        MemoryDisk::apply(inode_->visible, change);
        inode_->pending.push_back(std::move(change));
        return {};
    }

    Result<void> lock() override {
        if (auto entered = enter(DiskOp::lock); !entered) {
            return entered;
        }
        if (inode_->locked && !holds_lock_) {
            return make_error(Errc::conflict,
                              fmt::format("{} is locked by another user of it", path_));
        }
        inode_->locked = true;
        holds_lock_ = true;
        return {};
    }

private:
    Result<void> enter(DiskOp op) {
        if (life_ != disk_.life_) {
            return make_error(Errc::io_failed,
                              fmt::format("{}: EBADF (opened before a crash)", path_));
        }
        return disk_.enter(op, path_, is_change(op));
    }

    MemoryDisk& disk_;
    const MemoryDisk::InodePtr inode_;
    const std::string path_;
    const bool writable_;
    const std::uint64_t life_;
    bool holds_lock_ = false;
};

MemoryDisk::MemoryDisk(std::uint64_t seed, std::uint64_t capacity_bytes)
    : random_{seed}, capacity_bytes_{capacity_bytes} {}

MemoryDisk::~MemoryDisk() = default;

Result<std::unique_ptr<port::File>> MemoryDisk::open(const std::string& path, port::OpenMode mode) {
    auto found = names_.find(path);
    const bool creates = mode != port::OpenMode::read && found == names_.end();
    if (auto entered = enter(DiskOp::open, path, creates); !entered) {
        return entered.error();
    }
    if (found != names_.end() && mode == port::OpenMode::create_new) {
        return make_error(Errc::conflict, fmt::format("open {}: EEXIST (it exists already)", path));
    }
    if (found == names_.end()) {
        if (mode == port::OpenMode::read || !folders_.contains(parent_of(path))) {
            return missing(path);
        }
        change_name(path, std::make_shared<Inode>(), next_group_++);
        found = names_.find(path);
    }
    return std::unique_ptr<port::File>{
        std::make_unique<MemoryFile>(*this, found->second, path, mode != port::OpenMode::read)};
}

Result<void> MemoryDisk::rename(const std::string& from, const std::string& to) {
    if (auto entered = enter(DiskOp::rename, from, is_change(DiskOp::rename)); !entered) {
        return entered;
    }
    const auto found = names_.find(from);
    if (found == names_.end() || !folders_.contains(parent_of(to))) {
        return missing(from);
    }
    const InodePtr inode = found->second;
    const std::uint64_t group = next_group_++;
    change_name(to, inode, group);
    change_name(from, nullptr, group);
    return {};
}

Result<void> MemoryDisk::remove(const std::string& path) {
    if (auto entered = enter(DiskOp::remove, path, is_change(DiskOp::remove)); !entered) {
        return entered;
    }
    if (names_.contains(path)) {
        change_name(path, nullptr, next_group_++);
        return {};
    }
    if (!folders_.contains(path)) {
        return missing(path);
    }
    for (const auto& [name, inode] : names_) {
        if (parent_of(name) == path) {
            return make_error(Errc::io_failed, fmt::format("remove {}: ENOTEMPTY", path));
        }
    }
    folders_.erase(path);
    return {};
}

Result<std::vector<std::string>> MemoryDisk::list(const std::string& folder) {
    if (auto entered = enter(DiskOp::list, folder, is_change(DiskOp::list)); !entered) {
        return entered.error();
    }
    if (!folders_.contains(folder)) {
        return missing(folder);
    }
    std::vector<std::string> found;
    const auto add = [&](const std::string& path) {
        if (!path.empty() && path != "." && parent_of(path) == folder && path != folder) {
            found.push_back(path.substr(folder.empty() ? 0 : folder.size() + 1));
        }
    };
    for (const auto& [path, inode] : names_) {
        add(path);
    }
    for (const auto& path : folders_) {
        add(path);
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<void> MemoryDisk::make_dir(const std::string& folder) {
    if (auto entered = enter(DiskOp::make_dir, folder, is_change(DiskOp::make_dir)); !entered) {
        return entered;
    }
    for (std::string path = folder; !path.empty(); path = parent_of(path)) {
        folders_.insert(path);
    }
    return {};
}

Result<void> MemoryDisk::sync_dir(const std::string& folder) {
    auto entered = enter(DiskOp::sync_dir, folder, is_change(DiskOp::sync_dir));
    if (!entered) {
        return entered;
    }
    if (!folders_.contains(folder)) {
        return missing(folder);
    }
    std::erase_if(pending_names_, [&](const NameChange& change) {
        if (parent_of(change.path) != folder) {
            return false;
        }
        durable_names_[change.path] = change.inode;
        return true;
    });
    return {};
}

Result<std::uint64_t> MemoryDisk::free_bytes(const std::string& folder) {
    if (auto entered = enter(DiskOp::free_bytes, folder, is_change(DiskOp::free_bytes)); !entered) {
        return entered.error();
    }
    const std::uint64_t used = used_bytes();
    return used < capacity_bytes_ ? capacity_bytes_ - used : 0;
}

void MemoryDisk::cut_power() {
    // A prefix of the changes of names, but a rename whole or not at all.
    const std::uint64_t last_group =
        pending_names_.empty()
            ? 0
            : pending_names_.front().group - 1 +
                  random_.below(pending_names_.back().group - pending_names_.front().group + 2);
    for (const auto& change : pending_names_) {
        if (change.group <= last_group) {
            durable_names_[change.path] = change.inode;
        }
    }
    pending_names_.clear();
    std::erase_if(durable_names_, [](const auto& entry) { return entry.second == nullptr; });
    std::set<Inode*> seen;
    for (const auto& [path, inode] : durable_names_) {
        if (!seen.insert(inode.get()).second) {
            continue;
        }
        for (const auto& change : inode->pending) {
            survive_partly(inode->durable, change);
        }
        inode->pending.clear();
        inode->visible = inode->durable;
    }
    names_ = durable_names_;
    forget_open_files();
}

void MemoryDisk::kill() { forget_open_files(); }

void MemoryDisk::fail(DiskOp op, std::uint64_t nth) {
    LH_ASSERT(nth >= 1);
    failing_calls_[op].insert(calls_[op] + nth);
}

void MemoryDisk::fail_always(DiskOp op, bool on) {
    if (on) {
        failing_always_.insert(op);
    } else {
        failing_always_.erase(op);
    }
}

void MemoryDisk::stop_after(std::uint64_t changing_calls) {
    stop_at_ = changing_calls_ + changing_calls + 1;
}

void MemoryDisk::clear_faults() {
    failing_calls_.clear();
    failing_always_.clear();
    stop_at_.reset();
}

std::uint64_t MemoryDisk::calls(DiskOp op) const {
    const auto found = calls_.find(op);
    return found == calls_.end() ? 0 : found->second;
}

std::string MemoryDisk::content(const std::string& path) const { return names_.at(path)->visible; }

void MemoryDisk::set_content(const std::string& path, std::string bytes) {
    auto& inode = names_[path];
    if (!inode) {
        inode = std::make_shared<Inode>();
        folders_.insert(parent_of(path));
    }
    durable_names_[path] = inode;
    inode->pending.clear();
    inode->durable = bytes;
    inode->visible = std::move(bytes);
}

std::vector<std::string> MemoryDisk::paths() const {
    std::vector<std::string> found;
    for (const auto& [path, inode] : names_) {
        found.push_back(path);
    }
    return found;
}

void MemoryDisk::apply(std::string& bytes, const Change& change) {
    if (change.is_truncate) {
        bytes.resize(change.offset);
        return;
    }
    if (bytes.size() < change.offset + change.bytes.size()) {
        bytes.resize(change.offset + change.bytes.size());
    }
    bytes.replace(change.offset, change.bytes.size(), change.bytes);
}

void MemoryDisk::survive_partly(std::string& durable, const Change& change) {
    switch (random_.below(3)) {
    case 0: return;
    case 1: apply(durable, change); return;
    default: break;
    }
    if (change.is_truncate) {
        return;
    }
    for (std::uint64_t at = 0; at < change.bytes.size();) {
        const std::uint64_t to_sector_end = kSectorBytes - (change.offset + at) % kSectorBytes;
        const std::uint64_t length =
            std::min<std::uint64_t>(to_sector_end, change.bytes.size() - at);
        if (random_.chance(0.5)) {
            apply(durable, Change{false, change.offset + at, change.bytes.substr(at, length)});
        }
        at += length;
    }
}

Result<void> MemoryDisk::enter(DiskOp op, const std::string& path, bool changes) {
    tearing_ = false;
    const std::uint64_t call = ++calls_[op];
    if (stopped_) {
        return make_error(Errc::io_failed, fmt::format("{}: EIO (the disk has stopped)", path));
    }
    if (changes && ++changing_calls_ == stop_at_) {
        stopped_ = true;
        tearing_ = true;
    }
    if (failing_calls_[op].erase(call) != 0 || failing_always_.contains(op)) {
        tearing_ = true;
    }
    if (tearing_) {
        return make_error(Errc::io_failed, fmt::format("{}: EIO (injected)", path));
    }
    return {};
}

Result<void> MemoryDisk::make_room(const Inode& inode, std::uint64_t end, const std::string& path) {
    const std::uint64_t size = inode.visible.size();
    if (end > size && used_bytes() + (end - size) > capacity_bytes_) {
        return make_error(Errc::overloaded, fmt::format("{}: ENOSPC", path), "disk-full");
    }
    return {};
}

std::uint64_t MemoryDisk::used_bytes() const {
    std::uint64_t used = 0;
    for (const auto& [path, inode] : names_) {
        used += inode->visible.size();
    }
    return used;
}

void MemoryDisk::change_name(const std::string& path, InodePtr inode, std::uint64_t group) {
    if (inode) {
        names_[path] = inode;
    } else {
        names_.erase(path);
    }
    pending_names_.push_back(NameChange{path, std::move(inode), group});
}

void MemoryDisk::forget_open_files() {
    ++life_;
    for (const auto& [path, inode] : names_) {
        inode->locked = false;
    }
    stopped_ = false;
    stop_at_.reset();
}

}  // namespace longhaul::test
