// What the routes may ask of the gateway: the core, the journal, the view and the hosts as one.
//
// Every answer waits until what it shows is durable: a reader never sees a revision that could
// vanish. Owns the loops (commit, feed, timers, status intake); start() and stop() are its life.
//
// Runs on one executor; only Workers run elsewhere.
#pragma once

#include "gateway/driver/dispatcher.hpp"
#include "gateway/driver/event_feed.hpp"
#include "gateway/driver/event_publisher.hpp"
#include "gateway/driver/feeder.hpp"
#include "gateway/driver/group_commit.hpp"
#include "gateway/driver/watches.hpp"
#include "longhaul/port/blob_store.hpp"
#include "longhaul/port/bus.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace longhaul::wire {
struct HostAnnouncement;
}

namespace longhaul::gateway {

class DiskWatch;

struct GatewayLimits {
    SchedulerLimits scheduler{};
    DispatchLimits dispatch{};
    std::uint64_t package_max = 64u << 20;  // bytes of an uploaded package
    Duration ended_retention = std::chrono::hours(24 * 7);
    std::uint64_t ended_max = 0;  // ended ones kept, the last to end; 0 = as many as there are
    Duration purge_every = std::chrono::minutes(1);
    std::uint32_t purge_slice = 1000;                       // then others have their turn
    Duration bulk_time = std::chrono::seconds(20);          // of one call about many
    Duration view_give_up_after = std::chrono::minutes(1);  // of failed writes
    Duration list_wait = std::chrono::milliseconds(100);    // for the view to catch up
    Duration instances_wait = std::chrono::seconds(3);      // for hosts to name their instances
    EventLimits events{};                                   // where there is an outlet for them
};

// The ports and stores that main() built; all outlive the gateway.
struct GatewayPorts {
    port::Clock& clock;
    port::Random& random;
    port::Workers& workers;
    port::Journal& journal;
    port::Peer& peer;
    port::Bus& bus;
    port::BlobStore& blobs;
    View& view;
    BodyStore& bodies;
    BodyStore& uploads;                   // packages on their way into the blob store
    const EventOutlet* events = nullptr;  // of lifecycle events, if anybody wants them
    const DiskWatch* space = nullptr;     // null: there is always room for new work
};

struct SubmitInput {
    TenantName tenant;
    FunctionName function;
    std::optional<InvocationId> chosen_id{};
    std::string content_type{};
    SubmitOptions options{};     // without fingerprint
    std::string options_text{};  // the Invocation-* headers as sent: part of the fingerprint
    std::optional<std::uint64_t> content_length{};
    port::ByteSource* body = nullptr;
    std::optional<InvocationId> retry_of{};
    bool is_only_retry = false;  // one that was made before is the answer
};

struct Submitted {
    InvocationId id;
    bool replayed = false;
};

struct Snapshot {
    Invocation invocation;
    WaitInfo wait;
};

struct Package {
    Digest digest;
    std::uint64_t size = 0;
    bool is_new = true;
};

// As its host describes it; what is not known is empty.
struct InstanceInfo {
    InstanceId id;
    HostId host;
    std::string state{};
    std::string tenant{};
    std::string function{};
    std::string version{};
    std::uint32_t memory_mb = 0;
    std::uint32_t concurrency = 1;
    std::uint32_t running = 0;
    std::optional<AttemptName> busy_with{};  // one of them, where there are several
    std::string idle_since{};
};

struct InstanceList {
    std::vector<InstanceInfo> instances{};
    std::vector<HostId> unreachable{};  // hosts that did not answer in time: theirs are missing
};

// Whether it is one that the query asks for; its page and order aside.
[[nodiscard]] bool query_matches(const Invocation& invocation, const ListQuery& query);

struct OpenLog {
    std::unique_ptr<port::ByteSource> bytes;
    std::optional<std::uint64_t> first_byte;  // where in the attempt's log `bytes` begins
};

struct DrainWish;
struct HostDrain;
struct RetryOrder;
struct BulkOrder;
struct BulkAnswer;
struct Diagnosis;

class Gateway {
public:
    Gateway(boost::asio::any_io_executor executor, GatewayPorts ports, const GatewayLimits& limits,
            Logger logger, GroupCommit::OnFailure on_storage_failure);

    // Recovers from view and journal, claims the next owner term, starts the loops.
    boost::asio::awaitable<Result<void>> start();
    // From now on submits answer 503 `draining`.
    void refuse_new_work() { draining_ = true; }
    // Nothing more goes out to hosts: for a stop that waits for what runs.
    void hold_grants() { scheduler_.hold_grants(); }
    // Kills everything that holds a slot.
    void kill_running(const std::string& by);
    // Persists what was taken in and ends the loops. Running work goes on at the hosts.
    boost::asio::awaitable<void> stop();

    // --- Submit. ---
    boost::asio::awaitable<Result<Submitted>> submit(SubmitInput input);
    // The same for several, which become durable together; an answer for each, in their order.
    boost::asio::awaitable<std::vector<Result<Submitted>>> submit_all(
        std::vector<SubmitInput> inputs);
    // Whether a body may be sent at all: the function is there, its size allowed, its queue open.
    [[nodiscard]] Result<void> may_submit(const SubmitInput& input) const;

    // --- Read. Errc::not_found also for what belongs to another tenant. ---
    boost::asio::awaitable<Result<Snapshot>> get(TenantName tenant, InvocationId id);
    // The same, once revision or status version are greater, or it has ended, or at `until`.
    boost::asio::awaitable<Result<Snapshot>> wait_change(TenantName tenant, InvocationId id,
                                                         std::uint32_t revision,
                                                         std::uint64_t status_version,
                                                         TimePoint until);
    boost::asio::awaitable<Result<Snapshot>> wait_end(TenantName tenant, InvocationId id,
                                                      TimePoint until);
    boost::asio::awaitable<Result<std::vector<Snapshot>>> list(ListQuery query);
    // How many there are, by state; states without any are left out.
    boost::asio::awaitable<Result<std::map<State, std::uint64_t>>> count(ListQuery query);
    boost::asio::awaitable<Result<std::vector<HistoryEntry>>> history(TenantName tenant,
                                                                      InvocationId id);
    boost::asio::awaitable<Result<std::unique_ptr<port::ByteSource>>> read_result(
        Content content, std::uint64_t offset, std::uint64_t length);
    // The raw log of one attempt (wire/log_line.hpp) from its host. Errc::unavailable of type
    // logs-unavailable if the host cannot be reached. `query` is passed on: "offset=0&follow=1".
    boost::asio::awaitable<Result<OpenLog>> open_log(Snapshot snapshot, AttemptNumber attempt,
                                                     std::string query);

    // --- Control. What these take and tell is in operations_handle.hpp. ---
    boost::asio::awaitable<Result<Snapshot>> stop_invocation(StopRequest request);
    // A new invocation of the same event, by the function as it is now. Errc::conflict, still-live;
    // Errc::gone where the event is no longer kept; otherwise as a submit.
    boost::asio::awaitable<Result<Submitted>> retry(RetryOrder order);
    // Deletes one that has ended. Errc::conflict, still-live.
    boost::asio::awaitable<Result<void>> purge(TenantName tenant, InvocationId id);
    // The same and stops, for all that match, up to a limit; answers when all of it is durable.
    boost::asio::awaitable<Result<BulkAnswer>> bulk(BulkOrder order);
    boost::asio::awaitable<Result<void>> put_limits(RunLimits limits);
    boost::asio::awaitable<Result<Diagnosis>> diagnose(TenantName tenant, InvocationId id);
    boost::asio::awaitable<Result<Snapshot>> patch_invocation(PatchRequest request);

    // --- Functions, hosts. ---
    boost::asio::awaitable<Result<bool>> put_function(TenantName tenant, FunctionSpec function);
    boost::asio::awaitable<Result<void>> delete_function(TenantName tenant, FunctionName name);
    boost::asio::awaitable<Result<void>> pause(TenantName tenant, FunctionName name, bool paused);
    boost::asio::awaitable<Result<Package>> upload_package(
        std::optional<std::uint64_t> content_length, port::ByteSource& body);
    boost::asio::awaitable<Result<bool>> has_package(Digest digest);

    // Tells the host to drain or to take work again; without a wish only asks it. Errc::not_found,
    // unknown-host; what hinders the call otherwise. (drain_handle.hpp)
    boost::asio::awaitable<Result<HostDrain>> drain_host(HostId host,
                                                         std::optional<DrainWish> wish);
    // What a status service knows of hosts, so that work finds a way before they announce
    // themselves. Of a host that was heard here already it is no news.
    void load_hosts(const std::vector<wire::HostAnnouncement>& hosts);

    // Every instance of every host, asked now; what is not answered within limits.instances_wait is
    // left out, and said so.
    boost::asio::awaitable<InstanceList> instances();
    // Something may have been missed: asks every host for what it has.
    void resync();

    // Status news from a status service that has no bus to publish on.
    void take_status(std::string_view subject, std::string_view payload);

    [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }
    [[nodiscard]] EventFeed& events() { return events_; }
    [[nodiscard]] Watches& watches() { return watches_; }
    [[nodiscard]] port::Clock& clock() { return ports_.clock; }
    [[nodiscard]] const GatewayLimits& limits() const { return limits_; }
    [[nodiscard]] bool draining() const { return draining_; }
    [[nodiscard]] bool stopping() const { return stopping_; }
    // Why lists may be incomplete or work is refused; nothing when all is well.
    [[nodiscard]] std::optional<std::string> not_ready() const;
    [[nodiscard]] MetricSamples metrics() const;

private:
    using StepBody = std::function<void(Scheduler&, TimePoint, Outcome&)>;

    // recovery.cpp
    boost::asio::awaitable<Result<void>> recover();
    [[nodiscard]] Result<void> replay_from(port::Position applied,
                                           std::vector<PositionedRecord>& tail);
    void republish(const PositionedRecord& positioned);

    // gateway.cpp
    port::Position step(const StepBody& body);
    boost::asio::awaitable<void> settle(port::Position position, Outcome outcome);
    boost::asio::awaitable<void> ack_forgotten(AckEffect ack);
    boost::asio::awaitable<void> run_timers();
    void on_durable(std::vector<PositionedRecord> records);
    void on_applied();
    void take_host_announcement(std::string_view payload);
    void take_status_batch(std::string_view payload);

    // retention.cpp
    boost::asio::awaitable<void> run_retention();
    boost::asio::awaitable<Result<bool>> purge_slice();
    void drop_freed_files();

    // operations.cpp, bulk.cpp
    boost::asio::awaitable<Result<Submitted>> retry_of(Invocation origin, RetryOrder order,
                                                       port::Position& position);
    boost::asio::awaitable<Result<BulkAnswer>> bulk_stop(BulkOrder order);
    boost::asio::awaitable<Result<BulkAnswer>> bulk_of_ended(BulkOrder order);
    boost::asio::awaitable<Result<void>> do_bulk(const BulkOrder& order,
                                                 std::vector<Invocation> page, BulkAnswer& answer);
    boost::asio::awaitable<Result<std::vector<Invocation>>> ended_page(ListQuery query);

    // submissions.cpp
    boost::asio::awaitable<Result<Submitted>> take_in(SubmitInput input, port::Position& position);
    boost::asio::awaitable<Result<std::optional<Submitted>>> find_ended(const SubmitInput& input,
                                                                        std::string fingerprint);

    boost::asio::awaitable<Result<void>> keep_package(const Content& stored, Package& package);

    // instances.cpp
    struct InstanceSurvey;
    boost::asio::awaitable<void> ask_instances(std::shared_ptr<InstanceSurvey> survey);

    // readings.cpp
    boost::asio::awaitable<Result<Invocation>> read_view(TenantName tenant, InvocationId id);
    boost::asio::awaitable<Result<void>> caught_up();

    GatewayPorts ports_;
    const GatewayLimits limits_;
    Logger logger_;
    net::TaskGroup loops_;
    net::TaskGroup tasks_;
    Scheduler scheduler_;
    GroupCommit commits_;
    Feeder feeder_;
    Watches watches_;
    EventFeed events_;
    std::optional<EventPublisher> publisher_;
    Dispatcher dispatcher_;
    net::Notifier timers_changed_;
    std::vector<std::unique_ptr<port::Subscription>> subscriptions_;

    // Ended, in order, until the view has them. Who reads the view and then the core holds back
    // what the view applied after the read began: else it could be in neither place for a moment.
    class ViewReading {
    public:
        explicit ViewReading(Gateway& gateway);
        ~ViewReading();
        ViewReading(const ViewReading&) = delete;
        ViewReading& operator=(const ViewReading&) = delete;

        [[nodiscard]] port::Position began_at() const { return *place_; }

    private:
        Gateway& gateway_;
        std::multiset<port::Position>::iterator place_;
    };
    std::deque<std::pair<port::Position, InvocationId>> ended_;
    // Deleted, and the view does not say so yet.
    std::deque<std::pair<port::Position, InvocationId>> purged_;
    std::unordered_set<InvocationId> purged_ids_;
    std::multiset<port::Position> view_readings_;
    std::optional<TimePoint> timer_at_;
    bool draining_ = false;
    bool stopping_ = false;

    struct Counters {
        std::uint64_t submits = 0;
        std::uint64_t replays = 0;
        std::uint64_t refusals = 0;
        std::map<State, std::uint64_t> ends{};
        std::uint64_t bad_messages = 0;
        std::uint64_t purged = 0;
    };
    Counters counters_;
};

}  // namespace longhaul::gateway
