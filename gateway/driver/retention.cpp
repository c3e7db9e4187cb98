// Retention: what has ended long enough ago, or is more than is kept, goes.
//
// In slices, with a pause after each that is as long as the slice was: so it keeps up with any rate
// of ends, and never takes more than half of a worker or holds up the feeder for long.
#include "gateway/driver/handle.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(5);

}  // namespace

boost::asio::awaitable<void> Gateway::run_retention() {
    while (!stopping_) {
        const TimePoint next = ports_.clock.now() + limits_.purge_every;
        co_await ports_.clock.wait_until(next);
        bool more = true;
        while (more && !stopping_) {
            const TimePoint began_at = ports_.clock.now();
            const Result<bool> done = co_await purge_slice();
            if (!done) logger_.warning("purge_failed", {{"why", done.error().message}});
            more = done && *done;
            if (!more) break;
            const TimePoint now = ports_.clock.now();
            const TimePoint again_at = now + std::max(kPauseMin, now - began_at);
            co_await ports_.clock.wait_until(again_at);
        }
    }
}

// Whether there is more to do.
boost::asio::awaitable<Result<bool>> Gateway::purge_slice() {
    PurgeOrder order{ports_.clock.now() - limits_.ended_retention, limits_.purge_slice, {}};
    if (limits_.ended_max > 0) order.kept_max = limits_.ended_max;
    Result<Purged> purged = Purged{};
    std::function<void()> job = [this, &order, &purged] {
        purged = ports_.view.purge_ended(order);
    };
    co_await ports_.workers.run(std::move(job));
    if (!purged) co_return purged.error();
    counters_.purged += purged->count;
    for (std::string& file : purged->files) co_await ports_.bodies.remove(std::move(file));
    co_return purged->more;
}

// Of what was deleted by name.
void Gateway::drop_freed_files() {
    for (std::string& file : ports_.view.take_freed_files())
        tasks_.start("drop_file", ports_.bodies.remove(std::move(file)));
}

}  // namespace longhaul::gateway
