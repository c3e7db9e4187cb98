#include "tests/sim/sim_agent.hpp"

#include "longhaul/net/task_group.hpp"
#include "runtime_agent_ext/driver/entry.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::sim {

namespace asio = boost::asio;
namespace agent = runtime_agent_ext;

namespace {

constexpr Duration kReportTimeout = std::chrono::seconds(5);
constexpr Duration kCoalesce = std::chrono::seconds(1);
constexpr Duration kReconnectMax = std::chrono::milliseconds(800);
constexpr Duration kOrphanIdle = std::chrono::minutes(2);
constexpr Duration kStartMax = std::chrono::milliseconds(150);

RunKey key_of(const agent::RunKey& key) { return {key.invocation, key.attempt}; }

}  // namespace

SimAgent::SimAgent(AgentSite& site, InstanceId id, std::string secret, std::int64_t pid)
    : site_(site),
      id_(std::move(id)),
      process_{.process = {pid, static_cast<std::uint64_t>(pid)},
               .control_address = site.host + "-control-" + id_.text,
               .secret = std::move(secret)},
      data_address_(site.host + "-run-" + id_.text),
      instance_(agent::InstanceLimits{}),
      changed_(site.tasks.executor()),
      gone_(site.tasks.executor()),
      wake_(site.tasks.executor()),
      last_contact_(site.clock.now()) {}

void SimAgent::begin() {
    if (is_gone_) return;
    set_local_faults();
    site_.peer.serve(process_.control_address,
                     [this](port::PeerRequest request) { return control(std::move(request)); });
    site_.peer.serve(data_address_,
                     [this](port::PeerRequest request) { return data(std::move(request)); });
    site_.tasks.start("talk", talk());
}

void SimAgent::set_local_faults() {
    test::PeerFaults faults;
    faults.delay_max = std::chrono::milliseconds(5);
    // Now and then a process is stopped for a while.
    faults.lose_request = faults.lose_response = site_.is_tidy ? 0 : 0.01;
    site_.peer.set_faults(process_.control_address, faults);
}

void SimAgent::cut(bool on) { site_.peer.set_cut(data_address_, on); }

void SimAgent::die() {
    if (std::exchange(is_gone_, true)) return;
    ++plan_;
    if (timer_) site_.clock.forget(*timer_);
    site_.peer.remove(process_.control_address);
    site_.peer.remove(data_address_);
    site_.notebook.instance_gone(id_);
    for (const agent::Run& run : instance_.runs()) {
        const RunKey key = key_of(run.key);
        if (run.is_live()) {
            site_.notebook.saw("runs that died with their instance");
            site_.notebook.run_gone(key);
            site_.notebook.run_ended(key, AttemptOutcome::lost);
        } else if (!run.kept) {
            site_.notebook.run_in_doubt(key);
        }
    }
    for (const agent::Assignment& assigned : instance_.assignments())
        if (!assigned.is_offer && instance_.find(assigned.key) == nullptr)
            site_.notebook.run_in_doubt(key_of(assigned.key));
    gone_.notify_all();
    changed_.notify_all();
    wake_.notify_all();
}

void SimAgent::later(Duration span, void (SimAgent::*call)()) {
    site_.clock.call_at(site_.clock.now() + span, [this, call] {
        if (!is_gone_) (this->*call)();
    });
}

void SimAgent::apply(const Actions& actions) {
    actions_.insert(actions_.end(), actions.begin(), actions.end());
    if (performing_) return;
    performing_ = true;
    while (!actions_.empty()) {
        const agent::Step step = std::move(actions_.front());
        actions_.pop_front();
        perform(step);
    }
    performing_ = false;
    instance_.check_invariants();
    write_down_ends();
    arm_timer();
    changed_.notify_all();
}

void SimAgent::perform(const agent::Step& step) {
    switch (step.action) {
    case agent::Action::start_function: start_function(); break;
    case agent::Action::cancel_run:
    case agent::Action::terminate: terminate(); break;
    case agent::Action::kill_tree: kill_tree(); break;
    case agent::Action::report_now:
        dirty_ = true;
        wake_.notify_all();
        break;
    case agent::Action::report_soon:
        if (std::exchange(soon_, true)) break;
        site_.clock.call_at(site_.clock.now() + kCoalesce, [this] {
            soon_ = false;
            dirty_ = true;
            wake_.notify_all();
        });
        break;
    case agent::Action::exit:
        exit_ = true;
        later(site_.random.up_to(std::chrono::milliseconds(50)), &SimAgent::die);
        break;
    }
}

void SimAgent::arm_timer() {
    if (timer_) site_.clock.forget(*timer_);
    timer_.reset();
    const auto next = instance_.next_deadline();
    if (!next || exit_) return;
    timer_ = site_.clock.call_at(std::max(*next, site_.clock.now()), [this] {
        timer_.reset();
        Actions actions;
        instance_.tick(site_.clock.now(), actions);
        apply(actions);
    });
}

// Its instance is exclusive.
const agent::Run* SimAgent::live() const {
    const auto found = std::ranges::find_if(instance_.runs(), &agent::Run::is_live);
    return found == instance_.runs().end() ? nullptr : &*found;
}

void SimAgent::check_tree() {
    const agent::Run* run = live();
    if (run == nullptr || run->rank != agent::RunRank::stopping || killing_) return;
    if (function_lives_) return;
    Actions actions;
    instance_.tree_empty(site_.clock.now(), actions);
    apply(actions);
}

void SimAgent::write_down_ends() {
    for (const agent::Run& run : instance_.runs()) {
        if (run.is_live() || !ended_.insert(run.key).second) continue;
        const RunKey key = key_of(run.key);
        site_.notebook.trace("run: " + key.first.text + "/" + std::to_string(key.second) + " on " +
                             site_.host + " ends as " + std::string(to_string(*run.outcome)));
        site_.notebook.run_gone(key);
        site_.notebook.run_ended(key, *run.outcome);
    }
}

wire::InstanceStatus SimAgent::status() const {
    wire::InstanceStatus status;
    status.incarnation = "agent-" + id_.text;
    status.state = agent::state_text(instance_);
    status.ready = status.state != "broken" && status.state != "loading";
    status.data_address = data_address_;
    if (const agent::Assignment* open = instance_.offered())
        status.offer = wire::InstanceOffer{open->run_token, {open->shard, open->owner_term}};
    status.retry_on_lost = retry_on_lost_;
    const agent::EntryIdentity identity{status.incarnation, id_};
    for (const agent::Run& run : instance_.runs())
        if (!run.kept) status.entries.push_back(agent::entry_of(run, identity, site_.clock.now()));
    return status;
}

asio::awaitable<void> SimAgent::talk() {
    co_await site_.clock.wait_until(site_.clock.now() + site_.random.up_to(kStartMax));
    while (!is_gone_) {
        if (!dirty_) {
            co_await wake_.wait();
            continue;
        }
        dirty_ = false;
        const bool heard = co_await report();
        if (heard || is_gone_) continue;
        dirty_ = true;
        is_forgotten();
        const TimePoint next = site_.clock.now() + site_.random.up_to(kReconnectMax);
        (void)co_await wake_.wait_until(site_.clock, next);
    }
}

asio::awaitable<bool> SimAgent::report() {
    port::PeerRequest request{"POST", "/v1/instances/" + id_.text + "/status"};
    request.headers.emplace_back("Authorization", "Bearer " + process_.secret);
    request.body = wire::to_json(status()).dump();
    std::string address = site_.host_socket;
    auto answer = co_await site_.peer.call(std::move(address), std::move(request), kReportTimeout);
    if (is_gone_ || !answer || answer->status != 200) co_return false;
    auto text = co_await port::read_all(*answer->body, 1u << 20);
    if (is_gone_ || !text) co_return false;
    auto kept = wire::decode<wire::InstanceStatusAnswer>(*text);
    if (!kept) co_return false;
    last_contact_ = site_.clock.now();
    std::vector<agent::RunKey> keys;
    for (const wire::AttemptKey& key : kept->kept) keys.push_back(agent::run_key(key));
    Actions actions;
    instance_.kept(keys, actions);
    apply(actions);
    co_return true;
}

// One that no host agent knows ends by itself.
void SimAgent::is_forgotten() {
    const bool idle =
        !instance_.has_live() && std::ranges::all_of(instance_.runs(), &agent::Run::kept);
    if (!idle || site_.clock.now() - last_contact_ < kOrphanIdle) return;
    site_.notebook.saw("instances forgotten by their host");
    Actions actions;
    instance_.destroy(site_.clock.now(), actions);
    apply(actions);
}

}  // namespace longhaul::sim
