// Up to which position of the journal lifecycle events have been published: a small file, replaced
// as a whole. An older one than is true is no harm: events are then published again.
//
// Runs on one executor; the disk is touched on Workers, but for load() and store_now(), which
// block.
#pragma once

#include "longhaul/port/disk.hpp"
#include "longhaul/port/journal.hpp"
#include "longhaul/port/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>

namespace longhaul::gateway {

class EventCursor {
public:
    // `path` lies in a folder that is there.
    EventCursor(port::Disk& disk, port::Workers& workers, std::string path)
        : disk_(disk), workers_(workers), path_(std::move(path)) {}

    // Nothing if it was never stored; 0 if what is there makes no sense.
    [[nodiscard]] Result<std::optional<port::Position>> load();
    // Blocking; durable when it returns.
    [[nodiscard]] Result<void> store_now(port::Position position);
    // Returns when it is durable.
    boost::asio::awaitable<Result<void>> store(port::Position position);

private:
    port::Disk& disk_;
    port::Workers& workers_;
    const std::string path_;
};

}  // namespace longhaul::gateway
