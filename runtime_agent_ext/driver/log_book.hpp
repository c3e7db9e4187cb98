// Where output goes: one file per attempt, bounded, and one for what is said between invocations.
//
// Lines reach the file at flush(), which whoever feeds it calls once per chunk; the host agent
// reads the files meanwhile. An error of the disk is counted and ends the file's growth, never the
// run.
#pragma once

#include "longhaul/port/clock.hpp"
#include "longhaul/process/unique_fd.hpp"
#include "longhaul/wire/log_line.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class LogBook {
public:
    LogBook(const port::Clock& clock, std::string directory, InstanceId instance,
            std::uint64_t bytes_max);

    // From now on lines belong to `key`; nothing: to the instance.
    void select(const std::optional<wire::AttemptKey>& key);

    void write(wire::LogStream stream, wire::LogFlag flag, std::string_view text);
    void flush();

    // Over its limit, or broken: what comes is dropped, so it need not be split.
    [[nodiscard]] bool full() const { return full_; }
    [[nodiscard]] std::uint64_t bytes_in_file() const { return bytes_; }

private:
    void open_file();
    void mark_full();

    // Constant after construction.
    const port::Clock& clock_;
    const std::string directory_;
    const InstanceId instance_;
    const std::uint64_t bytes_max_;

    std::optional<wire::AttemptKey> key_;
    std::string pending_;
    process::UniqueFd file_;
    bool opened_ = false;
    bool full_ = false;
    std::uint64_t bytes_ = 0;
};

}  // namespace longhaul::runtime_agent_ext
