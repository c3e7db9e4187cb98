// A Disk in memory that remembers what was synced, so that a test can cut the power.
//
// Files and folders behave as in the port. Beside what is visible it keeps what is durable:
// write and truncate become durable by File::sync(), names (create, rename, remove) by sync_dir().
// make_dir() is durable at once, as PosixDisk's.
//   cut_power()  of what was not durable, any part may survive: writes by sectors of 512 bytes in
//                any combination, names as a prefix of their order. Every open File is dead
//                afterwards.
//   kill()       the process dies, the machine lives: open Files die, locks drop, contents stay.
// Faults: fail(op, n) fails the n-th such call from now, once; stop_after(n) lets n more changing
// calls through, the next is torn, and from there everything fails until cut_power() or kill().
// Not thread-safe.
#pragma once

#include "longhaul/port/disk.hpp"
#include "tests/support/seeded_random.hpp"

#include <map>
#include <optional>
#include <set>

namespace longhaul::test {

enum class DiskOp : std::uint8_t {
    open,
    read,
    write,
    sync,
    size,
    truncate,
    lock,
    rename,
    remove,
    list,
    make_dir,
    sync_dir,
    free_bytes,
};

class MemoryDisk final : public port::Disk {
public:
    explicit MemoryDisk(std::uint64_t seed = 1, std::uint64_t capacity_bytes = 1ULL << 32);
    ~MemoryDisk() override;

    [[nodiscard]] Result<std::unique_ptr<port::File>> open(const std::string& path,
                                                           port::OpenMode mode) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] Result<void> make_dir(const std::string& folder) override;
    [[nodiscard]] Result<void> sync_dir(const std::string& folder) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& folder) override;

    void cut_power();
    void kill();

    // The n-th (1, 2, …) call of this kind from now fails with Errc::io_failed, once. A failed
    // write leaves any part of itself; after a failed sync what it should have synced may never be.
    void fail(DiskOp op, std::uint64_t nth);
    // Fails every call of this kind until `on` is false.
    void fail_always(DiskOp op, bool on);
    void stop_after(std::uint64_t changing_calls);
    // What was asked for by these three and has not struck yet is forgotten.
    void clear_faults();
    void set_capacity(std::uint64_t bytes) { capacity_bytes_ = bytes; }

    [[nodiscard]] std::uint64_t calls(DiskOp op) const;
    [[nodiscard]] std::uint64_t changing_calls() const { return changing_calls_; }

    // What a File would read, and overwriting it behind the back of whoever uses it (durably).
    [[nodiscard]] std::string content(const std::string& path) const;  // REQUIRES: it exists
    void set_content(const std::string& path, std::string bytes);
    [[nodiscard]] bool exists(const std::string& path) const { return names_.contains(path); }
    [[nodiscard]] std::vector<std::string> paths() const;

private:
    friend class MemoryFile;

    struct Change {  // a write of `bytes` at `offset`, or a truncate to `offset`
        bool is_truncate = false;
        std::uint64_t offset = 0;
        std::string bytes{};
    };
    struct Inode {
        std::string visible;
        std::string durable;
        std::vector<Change> pending;
        bool locked = false;
    };
    struct NameChange {  // `path` now leads to `inode`, or to nothing
        std::string path;
        std::shared_ptr<Inode> inode;
        std::uint64_t group;  // both halves of a rename within a folder share one
    };
    // Shared by names, open Files and pending changes, as the kernel's are.
    using InodePtr = std::shared_ptr<Inode>;

    static void apply(std::string& bytes, const Change& change);
    void survive_partly(std::string& durable, const Change& change);
    [[nodiscard]] Result<void> enter(DiskOp op, const std::string& path, bool changes);
    [[nodiscard]] Result<void> make_room(const Inode& inode, std::uint64_t end,
                                         const std::string& path);
    [[nodiscard]] std::uint64_t used_bytes() const;
    void change_name(const std::string& path, InodePtr inode, std::uint64_t group);
    void forget_open_files();

    SeededRandom random_;
    std::uint64_t capacity_bytes_;

    std::set<std::string> folders_{"", "."};
    std::map<std::string, InodePtr> names_;
    std::map<std::string, InodePtr> durable_names_;
    std::vector<NameChange> pending_names_;
    std::uint64_t next_group_ = 1;

    // Files opened in an earlier life are dead.
    std::uint64_t life_ = 1;

    std::map<DiskOp, std::uint64_t> calls_;
    std::map<DiskOp, std::set<std::uint64_t>> failing_calls_;
    std::set<DiskOp> failing_always_;
    std::uint64_t changing_calls_ = 0;
    std::optional<std::uint64_t> stop_at_;
    bool stopped_ = false;
    bool tearing_ = false;  // the present call fails, after a part of its effect
};

}  // namespace longhaul::test
