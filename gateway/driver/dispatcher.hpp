// Performs the effects that reach out to hosts: start, stop, fetch a result, ack, ask.
//
// Each effect is a coroutine that repeats itself, with backoff, until the answer is certain or the
// core no longer wants it; what it learns goes back through `Events`. Repeating is safe: takes,
// starts and stops are idempotent under (invocation, attempt, token).
//
// Runs on one executor. The core is asked before each try and told after each answer; nothing of it
// is held across an await.
#pragma once

#include "gateway/bodies/body_store.hpp"
#include "gateway/core/scheduler.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/peer.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct DispatchLimits {
    Duration take_margin = std::chrono::seconds(10);  // beyond the function's load timeout
    Duration call_limit = std::chrono::seconds(10);   // of every other call to a host
    Duration backoff_min = std::chrono::milliseconds(25);
    Duration backoff_max = std::chrono::seconds(2);
    Duration result_grace = std::chrono::minutes(5);  // to copy a result: then result_lost
    std::uint32_t fence_tries_max = 10;  // to tell a host of a fence; told again when it returns
};

class Dispatcher {
public:
    // One step of the core: calls it and persists what came of it.
    using Step = std::function<void(const std::function<void(Scheduler&, TimePoint, Outcome&)>&)>;

    Dispatcher(net::TaskGroup& tasks, const Scheduler& scheduler, Step step, port::Peer& peer,
               port::Clock& clock, BodyStore& bodies, DispatchLimits limits, Logger logger);

    // Starts what the effect asks for. REQUIRES its records are durable.
    void perform(const Effect& effect);

    struct Counters {
        std::uint64_t takes = 0;
        std::uint64_t starts = 0;
        std::uint64_t leased_starts = 0;  // of these, under a lease
        std::uint64_t leases_refused = 0;
        std::uint64_t stops = 0;
        std::uint64_t retries = 0;
        std::uint64_t questions = 0;
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    using Key = std::pair<InvocationId, AttemptNumber>;
    enum class Verdict : std::uint8_t { done, again };

    boost::asio::awaitable<void> start(StartEffect effect);
    // What a start has come to know about itself, over all of its tries.
    struct Starting {
        bool is_unsure = false;  // a start went unanswered, or an earlier life may have sent one
        InstanceId sent_to{};    // under whose lease that was; "" = certainly none
    };
    enum class Sent : std::uint8_t { started, refused, unsure };
    struct SendOutcome {
        Sent sent = Sent::unsure;
        Error error{};
        AttemptReport report{};  // where it has started
    };

    boost::asio::awaitable<Verdict> try_lease(const StartEffect& effect, Starting& so_far);
    boost::asio::awaitable<Verdict> try_start(const StartEffect& effect, Starting& so_far);
    boost::asio::awaitable<Verdict> send_invocation(const StartEffect& effect, std::string address,
                                                    std::string run_token, Starting& so_far);
    boost::asio::awaitable<SendOutcome> send(const StartEffect& effect, std::string address,
                                             std::string run_token);
    boost::asio::awaitable<void> stop(Key key);
    boost::asio::awaitable<bool> try_stop(StopEffect effect);
    boost::asio::awaitable<void> fetch(FetchResultEffect effect);
    boost::asio::awaitable<Result<Content>> try_fetch(const FetchResultEffect& effect);
    boost::asio::awaitable<void> send_acks(std::string address);
    boost::asio::awaitable<void> ask(HostId host);
    boost::asio::awaitable<bool> try_ask(HostId host, HostQuestion question);

    void refused(const StartEffect& effect, RouteFailure failure, const std::string& why);

    net::TaskGroup& tasks_;
    const Scheduler& scheduler_;
    Step step_;
    port::Peer& peer_;
    port::Clock& clock_;
    BodyStore& bodies_;
    const DispatchLimits limits_;
    Logger logger_;

    std::set<Key> starting_;
    std::map<Key, StopEffect> stopping_;                  // the latest order for each
    std::map<std::string, std::vector<AckEffect>> acks_;  // by address, waiting to be sent
    std::set<HostId> asking_;
    Counters counters_;
};

}  // namespace longhaul::gateway
