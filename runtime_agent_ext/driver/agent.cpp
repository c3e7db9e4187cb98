#include "runtime_agent_ext/driver/agent.hpp"

#include "longhaul/crypto/equal.hpp"
#include "longhaul/crypto/random.hpp"
#include "longhaul/process/tree.hpp"
#include "runtime_agent_ext/driver/exec_runner.hpp"
#include "runtime_agent_ext/driver/files.hpp"
#include "runtime_agent_ext/driver/http_runner.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace longhaul::runtime_agent_ext {

namespace asio = boost::asio;

namespace {

constexpr Duration kReapLimit = std::chrono::seconds(1);
constexpr Duration kPollPause = std::chrono::milliseconds(1);
constexpr std::size_t kTailMax = 512;  // bytes

process::Cgroup make_cgroup(const Config& config) {
    if (!config.cgroups) return {};
    return process::Cgroup::make(config.instance.text, {config.pids_max, config.memory_max_bytes});
}

// As root of the machine a function can leave any cgroup; as another user it cannot.
bool function_is_confined(const Config& config) {
    return config.uid ? *config.uid != 0 : ::geteuid() != 0;
}

Result<void> make_work_directory(const Config& config) {
    const std::string path = work_directory(config);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return file_error("cannot make", path);
    if (config.uid && ::chown(path.c_str(), *config.uid, config.gid.value_or(*config.uid)) != 0)
        return file_error("cannot hand over", path);
    return {};
}

// A server that serves several runs cannot be asked to leave off with one of them and say when it
// has; our runners can. A command is a process for each run.
Places places_of(const FunctionSpec& function) {
    if (function.mode == FunctionMode::exec) return {};
    return {function.concurrency, function.mode == FunctionMode::handler};
}

// Printable ASCII, so that it may stand in a message whatever the function said.
void keep_tail(std::string& tail, std::string_view bytes) {
    if (bytes.size() > kTailMax) bytes.remove_prefix(bytes.size() - kTailMax);
    for (const char c : bytes) tail += c == '\n' || (c >= 0x20 && c < 0x7f) ? c : '?';
    if (tail.size() > kTailMax) tail.erase(0, tail.size() - kTailMax);
}

}  // namespace

Agent::Agent(asio::any_io_executor executor, port::Clock& clock, port::Peer& peer,
             const Logger& logger, const Config& config)
    : clock_(clock),
      peer_(peer),
      logger_(logger),
      config_(config),
      identity_{crypto::random_hex(8), config.instance},
      tasks_(executor, logger),
      cgroup_(make_cgroup(config)),
      reaper_(executor),
      census_(cgroup_, function_is_confined(config)),
      surroundings_{tasks_, clock, reaper_, cgroup_, config, logger},
      link_(executor, clock, logger, config,
            {.snapshot = [this] { return wire::to_json(status()).dump(); },
             .answered =
                 [this](const wire::InstanceStatusAnswer& answer) {
                     std::vector<RunKey> keys;
                     for (const auto& key : answer.kept) keys.push_back(run_key(key));
                     Actions actions;
                     instance_.kept(keys, actions);
                     apply(actions);
                 }}),
      logs_(clock, config),
      instance_(InstanceLimits{}),
      timer_(executor),
      changed_(executor) {}

Agent::~Agent() { cgroup_.remove(); }

Result<void> Agent::open(std::string data_address, std::string runtime_address) {
    data_address_ = std::move(data_address);
    runtime_address_ = std::move(runtime_address);
    if (auto done = process::become_subreaper(); !done) return done;
    if (auto done = make_work_directory(config_); !done) return done;
    for (const auto& missing : cgroup_.limits_missing())
        logger_.debug("limit not enforced by a cgroup", {{"limit", missing}});
    reaper_.on_orphan([this](const process::ProcessEnd& end) {
        if (runner_) runner_->add_orphan(end.usage);
        check_tree();
    });
    if (!config_.prestart.empty()) {
        if (auto done = make_handler().prestart(config_.prestart); !done) return done;
    }
    tasks_.start("host link", link_.run());
    if (config_.orphan_idle > Duration::zero()) tasks_.start("watch for host", watch_for_host());
    return {};
}

asio::awaitable<void> Agent::wait_exit() {
    while (!exit_) co_await changed_.wait();
}

asio::awaitable<void> Agent::close(Duration limit) {
    const TimePoint until = clock_.now() + limit;
    while (!link_.is_settled() && clock_.now() < until)
        co_await clock_.wait_until(clock_.now() + kPollPause);
    timer_.cancel();
    // The runner stays until the function's connections are closed: their handlers know it.
    tasks_.cancel();
    co_await tasks_.join();
}

Result<void> Agent::assign(wire::AssignRequest request) {
    if (request.to == wire::AssignTo::nobody) return instance_.unassign();
    Assignment assignment;
    assignment.key = run_key(request.key);
    assignment.token = std::move(request.token);
    assignment.run_token = std::move(request.run_token);
    return instance_.assign(std::move(assignment));
}

asio::awaitable<Result<StageTrace>> Agent::load(wire::LoadRequest request) {
    const Duration limit = std::chrono::milliseconds(request.load_ms);
    std::string fingerprint = wire::to_json(request).set("load_ms", 0).dump();
    Actions actions;
    const Places places = places_of(request.function);
    auto begun = instance_.begin_load(clock_.now(), std::move(fingerprint), limit, actions, places);
    if (!begun) co_return begun.error();
    if (*begun) {
        load_begun_ = clock_.now();
        const RetrySpec& retry = request.function.retry;
        retry_on_lost_ = retry.max_attempts > 1 && has(retry.on, FailureReason::lost);
        heartbeat_timeout_ = request.function.heartbeat_timeout;
        if (instance_.is_shared()) logs_.share();
        // The import is part of the story of the run that it is done for.
        if (!instance_.assignments().empty()) {
            loaded_for_ = instance_.assignments().front().key;
            logs_.begin(*loaded_for_);
        }
        apply(actions);
        if (auto made = make_runner(request.function.mode); !made)
            load_ended(made.error());
        else
            runner_->load(request);
    }
    while (instance_.state() == InstanceState::loading) co_await changed_.wait();
    if (instance_.load_error()) co_return load_failure();
    StageTrace trace{{"load", load_ms_}};
    if (handler_ != nullptr) trace.emplace_back("import", handler_->import_ms());
    co_return trace;
}

Error Agent::load_failure() const {
    Error error = *instance_.load_error();
    const std::string awaited = runner_ ? runner_->awaited() : std::string();
    if (error.code == Errc::timed_out && !awaited.empty()) error.message += ": " + awaited;
    return error;
}

wire::InstanceStatus Agent::status() const {
    wire::InstanceStatus status;
    status.incarnation = identity_.incarnation;
    status.state = state_text(instance_);
    status.ready = status.state != "broken" && status.state != "loading";
    status.data_address = data_address_;
    if (const Assignment* open = instance_.offered())
        status.offer = wire::InstanceOffer{open->run_token, {open->shard, open->owner_term}};
    status.retry_on_lost = retry_on_lost_;
    const TimePoint now = clock_.now();
    for (const Run& run : instance_.runs())
        if (!run.kept) status.entries.push_back(entry_of(run, identity_, now));
    return status;
}

wire::KillAnswer Agent::kill(const wire::KillOrder& order) {
    Actions actions;
    const auto grace = std::chrono::milliseconds(std::max<std::int64_t>(order.grace_ms, 0));
    const auto verdict = instance_.stop(clock_.now(), run_key(order.key), order.token,
                                        stop_mode(order.mode), grace, actions, order.reason);
    apply(actions);
    return {order.key, kill_outcome(verdict)};
}

void Agent::drain() {
    Actions actions;
    instance_.drain(clock_.now(), actions);
    apply(actions);
}

asio::awaitable<bool> Agent::destroy() {
    Actions actions;
    instance_.destroy(clock_.now(), actions);
    apply(actions);
    while (!exit_) co_await changed_.wait();
    co_return tree_proven_gone_;
}

bool Agent::run_token_allows(std::string_view token, std::string_view invocation) const {
    const auto opens = [token](const std::string& run_token) {
        return !run_token.empty() && crypto::equal_constant_time(token, run_token);
    };
    if (std::ranges::any_of(instance_.assignments(), opens, &Assignment::run_token)) return true;
    return std::ranges::any_of(instance_.runs(), [&](const Run& run) {
        return run.key.invocation.text == invocation && opens(run.run_token);
    });
}

Result<Agent::Started> Agent::start(std::unique_ptr<RunInput> input) {
    const RunKey key = input->order.key;
    input->order.heartbeat_timeout = heartbeat_timeout_;
    Actions actions;
    auto started = instance_.start(clock_.now(), input->order, actions);
    if (!started) return started.error();
    if (*started) {
        on_.emplace(key, OnRun{std::move(input), crypto::random_hex(16)});
        apply(actions);
    }
    return Started{*started, entry_of(*instance_.find(key), identity_, clock_.now())};
}

std::uint64_t Agent::body_bytes_max() const { return config_.body_bytes_max; }

Result<void> Agent::progress(std::string_view function_token, double percent, std::string message) {
    if (auto alive = heartbeat(function_token); !alive) return alive;
    Actions actions;
    instance_.progress(clock_.now(), *run_of(function_token), percent, std::move(message), actions);
    apply(actions);
    return {};
}

Result<void> Agent::heartbeat(std::string_view function_token) {
    const auto key = run_of(function_token);
    if (!key) return make_error(Errc::not_found, "no run with this token is on");
    Actions actions;
    instance_.heartbeat(clock_.now(), *key, actions);
    apply(actions);
    return {};
}

std::optional<RunKey> Agent::run_of(std::string_view function_token) const {
    for (const auto& [key, run] : on_)
        if (crypto::equal_constant_time(function_token, run.function_token)) return key;
    return std::nullopt;
}

void Agent::load_ended(Result<void> result) {
    if (instance_.state() != InstanceState::loading) return;
    load_ms_ = static_cast<double>((clock_.now() - load_begun_).count()) / 1000.0;
    if (loaded_for_) logs_.end(*loaded_for_);
    loaded_for_.reset();
    Actions actions;
    instance_.load_ended(clock_.now(), std::move(result), actions);
    apply(actions);
}

void Agent::function_started(const RunKey& key) {
    Actions actions;
    instance_.function_started(key, actions);
    apply(actions);
}

void Agent::function_ended(const RunKey& key, FunctionEnd end) {
    Actions actions;
    instance_.function_ended(clock_.now(), key, std::move(end), actions);
    // With the report of the end itself, so that a lease costs no further exchange.
    instance_.offer(crypto::random_hex(16));
    apply(actions);
    check_tree();
}

void Agent::process_gone(std::string why) {
    Actions actions;
    logs_.finish_lines();
    while (load_tail_.ends_with('\n')) load_tail_.pop_back();
    if (instance_.state() == InstanceState::loading && !load_tail_.empty())
        why += "; it said last: " + load_tail_;
    instance_.break_down(clock_.now(), std::move(why), actions);
    apply(actions);
    check_tree();
}

void Agent::output(wire::LogStream stream, std::string_view bytes) {
    if (stream == wire::LogStream::err && instance_.state() == InstanceState::loading)
        keep_tail(load_tail_, bytes);
    logs_.feed(stream, bytes,
               [this](const RunKey& key) { instance_.first_byte(clock_.now(), key); });
}

void Agent::apply(const Actions& actions) {
    steps_.insert(steps_.end(), actions.begin(), actions.end());
    if (performing_) return;
    performing_ = true;
    while (!steps_.empty()) {
        const Step step = std::move(steps_.front());
        steps_.pop_front();
        perform(step);
    }
    performing_ = false;
    instance_.check_invariants();
    after_runs();
    arm_timer();
    changed_.notify_all();
}

void Agent::perform(const Step& step) {
    switch (step.action) {
    case Action::start_function: start_function(step.run); break;
    case Action::cancel_run: cancel_run(step.run); break;
    case Action::terminate: terminate(); break;
    case Action::kill_tree:
        if (!killing_) tasks_.start("kill", kill_everything());
        killing_ = true;
        break;
    case Action::report_now: link_.report_now(); break;
    case Action::report_soon: link_.report_soon(); break;
    case Action::exit: exit_ = true; break;
    }
}

void Agent::start_function(const RunKey& key) {
    const Run* run = instance_.find(key);
    const auto on = on_.find(key);
    if (run == nullptr || !run->is_live() || on == on_.end() || !runner_) return;
    logs_.begin(key);
    const TimePoint ends_at =
        run->deadline_at ? std::min(*run->deadline_at, run->timeout_at) : run->timeout_at;
    runner_->start(*on->second.input, ends_at, on->second.function_token);
}

void Agent::cancel_run(const RunKey& key) {
    const Run* run = instance_.find(key);
    if (run == nullptr || !run->is_live() || !runner_) return;
    note_stop(*run, "it is told to return");
    runner_->cancel(key);
}

void Agent::terminate() {
    for (const Run& run : instance_.runs())
        if (run.is_live()) note_stop(run, "SIGTERM");
    if (runner_) runner_->terminate();
}

void Agent::note_stop(const Run& run, std::string_view how) {
    std::string text = "stopping: " + std::string(how);
    if (!run.stop_reason.empty()) text += ": " + run.stop_reason;
    logs_.note(run.key, text);
}

// What is said from now on belongs to none of the runs that have ended.
void Agent::after_runs() {
    for (auto on = on_.begin(); on != on_.end();) {
        const Run* run = instance_.find(on->first);
        if (run != nullptr && run->is_live()) {
            ++on;
            continue;
        }
        logs_.end(on->first);
        if (runner_) runner_->forget(on->first);
        on = on_.erase(on);
    }
}

void Agent::arm_timer() {
    const auto next = instance_.next_deadline();
    if (!next || exit_) {
        timer_.cancel();
        return;
    }
    timer_.expires_after(std::max(Duration::zero(), *next - clock_.now()));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        Actions actions;
        instance_.tick(clock_.now(), actions);
        apply(actions);
    });
}

// A stopped run has ended when its process was collected and nothing else lives.
void Agent::check_tree() {
    const bool any_stops = std::ranges::any_of(
        instance_.runs(), [](const Run& run) { return run.rank == RunRank::stopping; });
    if (!any_stops || killing_) return;
    if ((runner_ && runner_->running()) || !census_.nobody_lives()) return;
    tree_proven_gone_ = true;
    Actions actions;
    instance_.tree_empty(clock_.now(), actions);
    apply(actions);
}

Result<void> Agent::make_runner(FunctionMode mode) {
    if (mode == FunctionMode::handler) {
        if (handler_ == nullptr) make_handler();
        return {};
    }
    if (handler_ != nullptr)
        return make_error(Errc::conflict, "this standby instance serves handlers only");
    const std::string progress_url = "http://" + runtime_address_;
    if (mode == FunctionMode::http)
        runner_ = std::make_unique<HttpRunner>(surroundings_, census_, *this, peer_, progress_url);
    else
        runner_ = std::make_unique<ExecRunner>(surroundings_, census_, *this, progress_url);
    return {};
}

HandlerRunner& Agent::make_handler() {
    auto handler = std::make_unique<HandlerRunner>(surroundings_, census_, *this, runtime_address_,
                                                   crypto::random_hex(16));
    handler_ = handler.get();
    runner_ = std::move(handler);
    return *handler_;
}

asio::awaitable<void> Agent::kill_everything() {
    for (const auto& [key, run] : on_) logs_.note(key, "SIGKILL");
    const bool found = process::kill_once(::getpid(), cgroup_) > 0;
    const bool proven =
        co_await process::kill_tree(::getpid(), cgroup_, clock_, config_.kill_confirm);
    // Its end carries exit code and usage, and comes by SIGCHLD.
    const TimePoint until = clock_.now() + kReapLimit;
    while (runner_ && runner_->running() && clock_.now() < until)
        co_await clock_.wait_until(clock_.now() + kPollPause);
    killing_ = false;
    tree_proven_gone_ = proven;
    if (!proven) logger_.error("processes survive SIGKILL", {{"instance", config_.instance.text}});
    Actions actions;
    instance_.tree_killed(clock_.now(), found, proven, actions);
    apply(actions);
}

asio::awaitable<void> Agent::watch_for_host() {
    const Duration pause = std::min<Duration>(config_.orphan_idle / 4, std::chrono::minutes(1));
    for (;;) {
        co_await clock_.wait_until(clock_.now() + pause);
        const bool idle =
            !instance_.has_live() && std::ranges::all_of(instance_.runs(), &Run::kept);
        // A silent connection is no absence: the host agent need not say anything.
        if (!idle || link_.is_settled()) continue;
        if (clock_.now() - link_.last_contact() < config_.orphan_idle) continue;
        logger_.warning("forgotten by the host agent: ending");
        Actions actions;
        instance_.destroy(clock_.now(), actions);
        apply(actions);
    }
}

}  // namespace longhaul::runtime_agent_ext
