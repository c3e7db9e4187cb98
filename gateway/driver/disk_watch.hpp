// Whether the disk has room for new work: a part of it is kept in reserve, so that what was
// accepted can end and be recorded when others have filled the rest.
//
// A journal that cannot grow stops the gateway (I12); new work is refused well before that. Runs on
// one executor; the disk is asked on Workers.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace longhaul::gateway {

class DiskWatch {
public:
    // `reserve`: bytes that must be free in `folder` for new work; 0 = never asked.
    DiskWatch(port::Disk& disk, port::Workers& workers, port::Clock& clock, Logger logger,
              std::string folder, std::uint64_t reserve);

    // Asks once a second, until cancelled.
    boost::asio::awaitable<void> run();

    // Errc::overloaded of type disk-full, with limit and scope, while there is less than the
    // reserve. A disk that does not say counts as having room.
    [[nodiscard]] Result<void> has_room() const;

    // As it said last; nothing before the first answer.
    [[nodiscard]] std::optional<std::uint64_t> free_bytes() const { return free_; }

private:
    void take(const Result<std::uint64_t>& free);

    port::Disk& disk_;
    port::Workers& workers_;
    port::Clock& clock_;
    const Logger logger_;
    const std::string folder_;
    const std::uint64_t reserve_;

    std::optional<std::uint64_t> free_;
};

}  // namespace longhaul::gateway
