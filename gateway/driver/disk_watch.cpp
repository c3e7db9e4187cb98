#include "gateway/driver/disk_watch.hpp"

#include "longhaul/base/config.hpp"

#include <boost/asio/this_coro.hpp>

#include <functional>
#include <utility>

namespace longhaul::gateway {
namespace {

constexpr Duration kAskEvery = std::chrono::seconds(1);

}  // namespace

DiskWatch::DiskWatch(port::Disk& disk, port::Workers& workers, port::Clock& clock, Logger logger,
                     std::string folder, std::uint64_t reserve)
    : disk_(disk),
      workers_(workers),
      clock_(clock),
      logger_(std::move(logger)),
      folder_(std::move(folder)),
      reserve_(reserve) {}

boost::asio::awaitable<void> DiskWatch::run() {
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    while (reserve_ > 0 && cancellation.cancelled() == boost::asio::cancellation_type::none) {
        Result<std::uint64_t> free = std::uint64_t{0};
        std::function<void()> job = [this, &free] { free = disk_.free_bytes(folder_); };
        co_await workers_.run(std::move(job));
        take(free);
        const TimePoint next = clock_.now() + kAskEvery;
        co_await clock_.wait_until(next);
    }
}

void DiskWatch::take(const Result<std::uint64_t>& free) {
    const bool had_room = has_room().has_value();
    free_ = free ? std::optional<std::uint64_t>(*free) : std::nullopt;
    if (had_room == has_room().has_value()) return;
    if (had_room)
        logger_.error("disk_full", {{"folder", folder_}, {"free", *free_}, {"reserve", reserve_}});
    else
        logger_.info("disk_has_room", {{"folder", folder_}});
}

Result<void> DiskWatch::has_room() const {
    if (!free_ || *free_ >= reserve_) return {};
    Error error =
        make_error(Errc::overloaded,
                   "the disk has " + std::to_string(*free_) +
                       " bytes left, and storage.reserve_bytes keeps " + format_bytes(reserve_) +
                       " of it in reserve for what was accepted: no new work until there "
                       "is more",
                   "disk-full");
    error.limit = reserve_;
    error.scope = "disk";
    return error;
}

}  // namespace longhaul::gateway
