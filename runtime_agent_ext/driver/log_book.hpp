// One log: a bounded file, of an attempt or of what an instance says between invocations.
//
// Lines reach the file at flush(), which whoever feeds it calls once per chunk; the host agent
// reads the files meanwhile. An error of the disk is counted and ends the file's growth, never the
// run.
#pragma once

#include "longhaul/port/clock.hpp"
#include "longhaul/process/unique_fd.hpp"
#include "longhaul/wire/log_line.hpp"

#include <cstdint>
#include <string>

namespace longhaul::runtime_agent_ext {

class LogBook {
public:
    LogBook(const port::Clock& clock, const std::string& directory, const std::string& name,
            std::uint64_t bytes_max);

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
    const std::string path_;
    const std::uint64_t bytes_max_;

    std::string pending_;
    process::UniqueFd file_;
    bool opened_ = false;
    bool full_ = false;
    std::uint64_t bytes_ = 0;
};

}  // namespace longhaul::runtime_agent_ext
