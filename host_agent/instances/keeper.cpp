#include "host_agent/instances/keeper.hpp"

#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/pidfd.hpp"
#include "longhaul/process/tree.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kWatchSlice = std::chrono::minutes(10);  // one wait on a pidfd
constexpr Duration kKillWait = std::chrono::seconds(5);     // SIGKILL to gone

pid_t pid_of(const InstanceProcess& process) { return static_cast<pid_t>(process.process.pid); }

}  // namespace

Keeper::Keeper(asio::any_io_executor executor, port::Clock& clock, Logger logger, Ledger& ledger,
               AgentControl& control, port::Workers& workers, port::Random& random,
               SpawnSettings settings, const KeeperTimes& times)
    : executor_(executor),
      clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      control_(control),
      workers_(workers),
      random_(random),
      times_(times),
      spawner_(std::move(settings)),
      heard_(executor),
      gone_(executor),
      tasks_(executor, logger_) {}

Result<void> Keeper::open(OnDead on_dead) {
    on_dead_ = std::move(on_dead);
    if (auto opened = spawner_.open(); !opened) return opened;
    if (!spawner_.obstacle().empty())
        logger_.warning("functions_share_our_uid",
                        {{"reason", "others may not pass " + spawner_.obstacle() +
                                        ": choose another data directory for isolation"}});
    const std::uint32_t wanted = ledger_.core().limits().instances_max;
    if (const std::uint32_t ids = spawner_.uid_count(); ids != 0 && ids < wanted) {
        ledger_.core().bound_instances(ids);
        logger_.warning(
            "fewer_user_ids_than_instances",
            {{"uid_count", std::uint64_t{ids}}, {"instances_max", std::uint64_t{wanted}}});
    }
    // A folder without a journalled instance: its process, if one was started, finds nobody who
    // knows it and ends by itself.
    const auto known = [this](const InstanceId& id) {
        return ledger_.core().instance(id) != nullptr;
    };
    for (const InstanceId& id : spawner_.leftovers(known)) tasks_.start("clean", clean(id));
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
        if (instance.process && spawner_.owns(instance.process->uid))
            taken.push_back(instance.process->uid);
    return taken;
}

asio::awaitable<Result<void>> Keeper::wait_uid(InstanceId id, TimePoint until) {
    const auto& instances = ledger_.core().instances();
    const auto makes_room = [](const auto& entry) {
        return entry.second.state == InstanceState::destroying && entry.second.process;
    };
    while (spawner_.uid_count() != 0 && uids_taken().size() >= spawner_.uid_count()) {
        if (!instances.contains(id)) break;  // spawn() says so
        const bool waits = std::ranges::any_of(instances, makes_room);
        if (!waits || clock_.now() >= until || tasks_.cancelled())
            co_return make_error(
                Errc::overloaded,
                "all " + std::to_string(spawner_.uid_count()) + " user ids are in use",
                "no-capacity");
        (void)co_await gone_.wait_until(clock_, until);
    }
    co_return Result<void>{};
}

Result<void> Keeper::spawn(const InstanceId& id, std::uint32_t memory_mb) {
    if (ledger_.core().instance(id) == nullptr)
        return make_error(Errc::unavailable, "the instance was given up before its process began",
                          "instance-failed");
    Spawner::Order order;
    order.id = id;
    order.secret = fresh_secret();
    order.memory_mb = memory_mb;
    order.uids_taken = uids_taken();
    auto process = spawner_.spawn(order);
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
    auto pidfd = process::open_process(pid_of(process), process.process.start_ticks);
    if (!pidfd) return false;
    tasks_.start("watch", watch(id, process));
    return true;
}

asio::awaitable<void> Keeper::watch(InstanceId id, InstanceProcess process) {
    while (true) {
        auto pidfd = process::open_process(pid_of(process), process.process.start_ticks);
        if (!pidfd) break;
        auto gone = co_await process::wait_gone(*pidfd, clock_, kWatchSlice);
        if (gone) break;
        if (gone.error().code != Errc::timed_out) {
            // Without pidfds the kernel is asked once a second.
            const TimePoint next = clock_.now() + std::chrono::seconds(1);
            co_await clock_.wait_until(next);
        }
    }
    // Ours, unless an earlier life of the host agent started it, or a Reaper collects it.
    ::waitpid(pid_of(process), nullptr, WNOHANG);
    InstanceId of = id;
    co_await sweep(std::move(of), process.uid);
    dead(id);
}

// A runtime agent that was killed could not end its tree: the parent-death signal took its child,
// not what that had let loose. Cgroup and user tell what is left; it goes before anybody hears
// that the run is lost.
asio::awaitable<void> Keeper::sweep(InstanceId id, std::uint32_t uid) {
    bool swept = false;
    const std::uint32_t known_by = spawner_.owns(uid) ? uid : 0;  // else it may be another's
    std::function<void()> job = [&swept, &id, known_by] {
        const auto cgroup = process::Cgroup::find(id.text);
        swept = process::kill_orphans(cgroup, known_by, kKillWait);
        cgroup.remove();
    };
    co_await workers_.run(std::move(job));
    if (!swept) logger_.warning("orphans_linger", {{"instance", id.text}});
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
    tasks_.start("clean", clean(id));
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
        auto pidfd = process::open_process(pid_of(process), process.process.start_ticks);
        if (!pidfd) break;
        if (by_force) (void)process::send_signal(*pidfd, SIGKILL);
        by_force = true;
        auto gone = co_await process::wait_gone(*pidfd, clock_, kKillWait);
        if (gone) break;
        logger_.warning("instance_lingers", {{"instance", id.text}, {"pid", process.process.pid}});
    }
    // Collected and told to the core by watch().
}

asio::awaitable<void> Keeper::clean(InstanceId id) {
    std::function<void()> job = [this, id] { spawner_.clean(id); };
    co_await workers_.run(std::move(job));
}

InstanceId Keeper::fresh_id() {
    return InstanceId{hex(random_.next(), random_.next()).substr(0, 16)};
}

std::string Keeper::fresh_secret() { return hex(random_.next(), random_.next()); }

}  // namespace longhaul::host_agent
