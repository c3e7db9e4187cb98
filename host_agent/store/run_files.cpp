#include "host_agent/store/run_files.hpp"

#include "longhaul/wire/log_line.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

struct Candidate {
    std::string path;
    std::string name;
    std::uint64_t bytes = 0;
    TimePoint changed_at{};
};

std::vector<Candidate> files_in(const std::string& folder) {
    std::vector<Candidate> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        struct stat info {};
        if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
        const auto since = std::chrono::seconds(info.st_mtim.tv_sec) +
                           std::chrono::nanoseconds(info.st_mtim.tv_nsec);
        files.push_back({entry.path().string(), entry.path().filename().string(),
                         static_cast<std::uint64_t>(info.st_size),
                         TimePoint{std::chrono::duration_cast<Duration>(since)}});
    }
    std::ranges::sort(files, {}, &Candidate::changed_at);
    return files;
}

struct Limits {
    TimePoint oldest;
    std::uint64_t bytes_max = 0;
};

// Returns the bytes that stay.
std::uint64_t remove_surplus(std::vector<Candidate> files, const Limits& limits,
                             std::uint64_t& removed) {
    std::uint64_t bytes = 0;
    for (const Candidate& file : files) bytes += file.bytes;
    for (const Candidate& file : files) {
        if (file.changed_at >= limits.oldest && bytes <= limits.bytes_max) break;
        std::error_code error;
        fs::remove(file.path, error);
        if (error) continue;
        bytes -= file.bytes;
        ++removed;
    }
    return bytes;
}

}  // namespace

RunFiles::RunFiles(const port::Clock& clock, Logger logger, port::Disk& disk,
                   port::Workers& workers, std::string log_folder, std::string result_folder,
                   const Retention& retention)
    : clock_(clock),
      logger_(std::move(logger)),
      disk_(disk),
      workers_(workers),
      log_folder_(std::move(log_folder)),
      result_folder_(std::move(result_folder)),
      retention_(retention) {}

Result<void> RunFiles::open() {
    if (auto made = disk_.make_dir(log_folder_); !made) return made;
    return disk_.make_dir(result_folder_);
}

std::string RunFiles::log_path(const wire::AttemptKey& key) const {
    return log_folder_ + "/" + wire::log_file_name(key);
}

std::string RunFiles::result_path(const wire::AttemptKey& key) const {
    return result_folder_ + "/" + wire::result_file_name(key);
}

asio::awaitable<Result<void>> RunFiles::secure_result(wire::AttemptKey key, std::uint64_t size) {
    Result<void> done;
    const std::string path = result_path(key);
    std::function<void()> job = [&] {
        auto file = disk_.open(path, port::OpenMode::read);
        if (!file) {
            done = file.error();
            return;
        }
        auto there = (*file)->size();
        if (!there || *there != size) {
            done = make_error(Errc::corrupt, "the result file " + path + " should have " +
                                                 std::to_string(size) + " bytes");
            return;
        }
        done = (*file)->sync();
        if (done) done = disk_.sync_dir(result_folder_);
    };
    co_await workers_.run(std::move(job));
    co_return done;
}

asio::awaitable<void> RunFiles::remove_result(wire::AttemptKey key) {
    std::function<void()> job = [&] { (void)disk_.remove(result_path(key)); };
    co_await workers_.run(std::move(job));
}

asio::awaitable<void> RunFiles::sweep(IsLive is_live) {
    std::vector<Candidate> logs;
    std::vector<Candidate> results;
    std::function<void()> look = [&] {
        logs = files_in(log_folder_);
        results = files_in(result_folder_);
    };
    co_await workers_.run(std::move(look));
    // The core is asked on its own executor, between the two jobs.
    const auto live = [&is_live](const Candidate& file) { return is_live(file.name); };
    std::erase_if(logs, live);
    std::erase_if(results, live);
    const TimePoint now = clock_.wall_now();
    const Limits log_limits{now - retention_.log_age_max, retention_.log_bytes_max};
    const Limits result_limits{now - retention_.result_age_max, UINT64_MAX};
    std::uint64_t removed = 0;
    std::uint64_t bytes = 0;
    std::function<void()> remove = [&] {
        bytes = remove_surplus(std::move(logs), log_limits, removed);
        (void)remove_surplus(std::move(results), result_limits, removed);
    };
    co_await workers_.run(std::move(remove));
    counters_.removed += removed;
    counters_.log_bytes = bytes;
    if (removed > 0) logger_.info("files_removed", {{"count", std::uint64_t{removed}}});
}

}  // namespace longhaul::host_agent
