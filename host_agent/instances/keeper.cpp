#include "host_agent/instances/keeper.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kWatchSlice = std::chrono::minutes(10);  // one wait for a process
constexpr Duration kKillWait = std::chrono::seconds(5);     // SIGKILL to gone

}  // namespace

Keeper::Keeper(asio::any_io_executor executor, port::Clock& clock, Logger logger, Ledger& ledger,
               AgentControl& control, Processes& processes, port::Random& random,
               const KeeperTimes& times)
    : executor_(executor),
      clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      control_(control),
      processes_(processes),
      random_(random),
      times_(times),
      heard_(executor),
      gone_(executor),
      tasks_(executor, logger_) {}

Result<void> Keeper::open(OnDead on_dead) {
    on_dead_ = std::move(on_dead);
    auto opened = processes_.open(
        [this](const InstanceId& id) { return ledger_.core().instance(id) != nullptr; });
    if (!opened) return opened.error();
    uid_first_ = opened->uid_first;
    uid_count_ = opened->uid_count;
    if (!opened->obstacle.empty())
        logger_.warning("functions_share_our_uid",
                        {{"reason", "others may not pass " + opened->obstacle +
                                        ": choose another data directory for isolation"}});
    const std::uint32_t wanted = ledger_.core().limits().instances_max;
    if (uid_count_ != 0 && uid_count_ < wanted) {
        ledger_.core().bound_instances(uid_count_);
        logger_.warning(
            "fewer_user_ids_than_instances",
            {{"uid_count", std::uint64_t{uid_count_}}, {"instances_max", std::uint64_t{wanted}}});
    }
    // Without a journalled instance: its process, if one was started, finds nobody who knows it and
    // ends by itself.
    for (const InstanceId& id : opened->leftovers) tasks_.start("clean", processes_.clean(id));
    return {};
}

asio::awaitable<void> Keeper::stop() {
    tasks_.cancel();
    heard_.notify_all();
    gone_.notify_all();
    co_await tasks_.join();
}

std::vector<std::uint32_t> Keeper::uids_taken() const {
    std::vector<std::uint32_t> taken;
    for (const auto& [id, instance] : ledger_.core().instances())
        if (instance.process && instance.process->uid - uid_first_ < uid_count_)
            taken.push_back(instance.process->uid);
    return taken;
}

asio::awaitable<Result<void>> Keeper::wait_uid(InstanceId id, TimePoint until) {
    const auto& instances = ledger_.core().instances();
    const auto makes_room = [](const auto& entry) {
        return entry.second.state == InstanceState::destroying && entry.second.process;
    };
    while (uid_count_ != 0 && uids_taken().size() >= uid_count_) {
        if (!instances.contains(id)) break;  // spawn() says so
        const bool waits = std::ranges::any_of(instances, makes_room);
        if (!waits || clock_.now() >= until || tasks_.cancelled())
            co_return make_error(Errc::overloaded,
                                 "all " + std::to_string(uid_count_) + " user ids are in use",
                                 "no-capacity");
        (void)co_await gone_.wait_until(clock_, until);
    }
    co_return Result<void>{};
}

Result<void> Keeper::spawn(const InstanceId& id, std::uint32_t memory_mb) {
    if (ledger_.core().instance(id) == nullptr)
        return make_error(Errc::unavailable, "the instance was given up before its process began",
                          "instance-failed");
    Processes::Order order;
    order.id = id;
    order.secret = fresh_secret();
    order.memory_mb = memory_mb;
    order.uids_taken = uids_taken();
    auto process = processes_.spawn(order);
    if (!process) return process.error();
    Records out;
    ledger_.core().made(id, *process, out);
    ledger_.stage(std::move(out));
    ++counters_.spawned;
    tasks_.start("watch", watch(id, *process));
    return {};
}

asio::awaitable<Result<void>> Keeper::wait_ready(InstanceId id, TimePoint until) {
    while (true) {
        if (ledger_.core().instance(id) == nullptr)
            co_return make_error(Errc::unavailable, "the runtime agent ended before it was ready",
                                 "instance-failed");
        const AgentReport* report = report_of(id);
        if (report != nullptr && report->ready) co_return Result<void>{};
        if (clock_.now() >= until || tasks_.cancelled())
            co_return make_error(Errc::timed_out, "the runtime agent was not ready in time",
                                 "instance-failed");
        (void)co_await heard_.wait_until(clock_, until);
    }
}

bool Keeper::watch_found(const InstanceId& id, const InstanceProcess& process) {
    if (!processes_.lives(process)) return false;
    tasks_.start("watch", watch(id, process));
    return true;
}

asio::awaitable<void> Keeper::watch(InstanceId id, InstanceProcess process) {
    while (true) {
        auto gone = co_await processes_.wait_gone(process, kWatchSlice);
        if (gone) break;
        if (gone.error().code != Errc::timed_out) {
            // Without pidfds the kernel is asked once a second.
            const TimePoint next = clock_.now() + std::chrono::seconds(1);
            co_await clock_.wait_until(next);
        }
    }
    // A runtime agent that was killed could not end its tree: what is left goes before anybody
    // hears that the run is lost.
    const bool swept = co_await processes_.sweep(id, process.uid);
    if (!swept) logger_.warning("orphans_linger", {{"instance", id.text}});
    dead(id);
}

void Keeper::dead(const InstanceId& id) {
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr) return;
    if (instance->state == InstanceState::destroying) {
        ++counters_.destroyed;
    } else {
        ++counters_.died;
        logger_.warning("instance_died", {{"instance", id.text}});
    }
    reports_.erase(id);
    on_dead_(id);
    heard_.notify_all();
    gone_.notify_all();
    tasks_.start("clean", processes_.clean(id));
}

void Keeper::heard(const InstanceId& id, AgentReport report) {
    reports_[id] = std::move(report);
    heard_.notify_all();
}

const AgentReport* Keeper::report_of(const InstanceId& id) const {
    const auto place = reports_.find(id);
    return place == reports_.end() ? nullptr : &place->second;
}

void Keeper::destroy(const InstanceId& id) {
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr) return;
    // Never spawned: nothing to wait for.
    if (!instance->process)
        dead(id);
    else
        tasks_.start("destroy", end(id));
}

// The runtime agent's own way first, which proves that its tree is gone; then SIGKILL, which takes
// its function along through the parent-death signal.
asio::awaitable<void> Keeper::end(InstanceId id) {
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr) co_return;
    const InstanceProcess process = *instance->process;
    auto asked = co_await control_.destroy(process, times_.destroy_timeout);
    if (!asked)
        logger_.debug("destroy_refused",
                      {{"instance", id.text}, {"reason", asked.error().message}});
    bool by_force = !asked;
    while (ledger_.core().instance(id) != nullptr) {
        Result<void> gone;
        if (by_force)
            gone = co_await processes_.kill(process, kKillWait);
        else
            gone = co_await processes_.wait_gone(process, kKillWait);
        if (gone) break;
        by_force = true;
        logger_.warning("instance_lingers", {{"instance", id.text}, {"pid", process.process.pid}});
    }
    // Told to the core by watch().
}

InstanceId Keeper::fresh_id() {
    return InstanceId{hex(random_.next(), random_.next()).substr(0, 16)};
}

std::string Keeper::fresh_secret() { return hex(random_.next(), random_.next()); }

}  // namespace longhaul::host_agent
