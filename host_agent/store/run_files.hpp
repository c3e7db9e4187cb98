// Results and logs of runs: files that the runtime agents write into two folders of ours
// (wire/log_line.hpp has their names) and that we serve, sync, and remove when their time is over.
//
// Blocking work happens on Workers. Paths are constant after construction.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/workers.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <functional>
#include <string>

namespace longhaul::host_agent {

struct Retention {
    Duration log_age_max = std::chrono::hours(24 * 7);
    std::uint64_t log_bytes_max = 10ull << 30;             // of all logs together
    Duration result_age_max = std::chrono::hours(24 * 2);  // nobody acknowledged it
};

struct RunFilesCounters {
    std::uint64_t removed = 0;
    std::uint64_t log_bytes = 0;  // at the last sweep
};

class RunFiles {
public:
    RunFiles(const port::Clock& clock, Logger logger, port::Disk& disk, port::Workers& workers,
             std::string log_folder, std::string result_folder, const Retention& retention);

    // Makes the folders.
    [[nodiscard]] Result<void> open();

    [[nodiscard]] std::string log_path(const wire::AttemptKey& key) const;
    [[nodiscard]] std::string result_path(const wire::AttemptKey& key) const;
    [[nodiscard]] const std::string& log_folder() const { return log_folder_; }
    [[nodiscard]] const std::string& result_folder() const { return result_folder_; }

    // Makes a result that lies in the folder durable, and checks that its size is as reported.
    boost::asio::awaitable<Result<void>> secure_result(wire::AttemptKey key, std::uint64_t size);

    // The result belongs to somebody else now, or to nobody.
    boost::asio::awaitable<void> remove_result(wire::AttemptKey key);

    // Removes what is too old or too much, oldest first; never a file for which `is_live` holds.
    using IsLive = std::function<bool(std::string_view file_name)>;
    boost::asio::awaitable<void> sweep(IsLive is_live);

    [[nodiscard]] const RunFilesCounters& counters() const { return counters_; }

private:
    // Constant after construction.
    const port::Clock& clock_;
    const Logger logger_;
    port::Disk& disk_;
    port::Workers& workers_;
    const std::string log_folder_;
    const std::string result_folder_;
    const Retention retention_;

    RunFilesCounters counters_;
};

}  // namespace longhaul::host_agent
