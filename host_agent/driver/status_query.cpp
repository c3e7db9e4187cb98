#include "host_agent/driver/status_query.hpp"

#include <map>
#include <tuple>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPageBytesMax = 1u << 20;  // of one answer, as weight() counts

std::string_view name_of(InstanceState state) {
    switch (state) {
    case InstanceState::starting: return "starting";
    case InstanceState::unproven: return "unproven";
    case InstanceState::idle: return "idle";
    case InstanceState::taken: return "taken";
    case InstanceState::broken: return "broken";
    case InstanceState::destroying: return "destroying";
    }
    return "unknown";
}

std::string_view name_of(RunState state) {
    switch (state) {
    case RunState::taking: return "taking";
    case RunState::assigned: return "assigned";
    case RunState::active: return "active";
    case RunState::ended: return "ended";
    }
    return "unknown";
}

wire::Json describe_instance(const Instance& instance) {
    wire::Json json = wire::Json::object();
    json.set("id", instance.id.text);
    json.set("state", name_of(instance.state));
    json.set("memory_mb", std::int64_t{instance.memory_mb});
    if (instance.state == InstanceState::idle)
        json.set("idle_since", format_rfc3339(instance.idle_since));
    if (instance.process) {
        json.set("pid", instance.process->process.pid);
        json.set("uid", std::int64_t{instance.process->uid});
    }
    if (instance.loaded) {
        json.set("tenant", instance.loaded->tenant.text);
        json.set("function", instance.loaded->function.text);
        json.set("version", instance.loaded->version.text);
    }
    if (instance.lease) json.set("leased", true);
    json.set("concurrency", std::int64_t{instance.places});
    json.set("running", static_cast<std::int64_t>(instance.runs.size()));
    if (!instance.runs.empty()) {
        json.set("invocation", instance.runs.begin()->invocation.text);
        json.set("attempt", std::int64_t{instance.runs.begin()->attempt});
    }
    return json;
}

// Bounds of one answer.
struct Page {
    wire::StatusAnswer& answer;
    std::size_t bytes = 0;

    // False: it is full, and `entry` belongs to the next one.
    bool add(wire::StatusEntry entry) {
        bytes += weight(entry);
        const bool full = answer.entries.size() >= wire::kBatchMax || bytes > kPageBytesMax;
        if (full && !answer.entries.empty()) {
            answer.more = true;
            return false;
        }
        answer.entries.push_back(std::move(entry));
        return true;
    }
};

void add_page(const Ledger& ledger, const std::optional<wire::AttemptKey>& after,
              wire::StatusAnswer& answer) {
    const auto& runs = ledger.core().runs();
    Page page{answer};
    auto place = after ? runs.upper_bound(run_key(*after)) : runs.begin();
    while (place != runs.end() && page.add(ledger.entry(place->first))) ++place;
}

void add_changes(const Ledger& ledger, std::uint64_t since, wire::StatusAnswer& answer) {
    Page page{answer};
    std::uint64_t covered = since;
    for (const auto& [seq, key] : ledger.core().changes_after(since, wire::kBatchMax + 1)) {
        if (!page.add(ledger.entry(key))) {
            answer.last_seq = covered;
            return;
        }
        covered = seq;
    }
}

void add_named(const Ledger& ledger, const wire::StatusQuery& query,
               const std::set<InstanceId>& silent, wire::StatusAnswer& answer) {
    for (std::size_t index = 0; index < query.keys.size(); ++index) {
        const wire::AttemptKey& key = query.keys[index];
        if (ledger.core().run(run_key(key)) != nullptr)
            answer.entries.push_back(ledger.entry(run_key(key)));
        else if (index < query.instances.size() && silent.contains(query.instances[index]))
            answer.unheard.push_back(key);
        else
            answer.unknown.push_back(key);
    }
}

}  // namespace

asio::awaitable<Result<wire::StatusAnswer>> answer_status(Ledger& ledger, HostId host,
                                                          wire::StatusQuery query,
                                                          std::set<InstanceId> silent) {
    auto durable = co_await ledger.durable();
    if (!durable) co_return durable.error();
    // No await from here on: the answer is one moment's.
    const HostCore& core = ledger.core();
    wire::StatusAnswer answer;
    answer.host = std::move(host);
    answer.epoch = core.epoch();
    answer.last_seq = core.last_seq();
    answer.complete = core.complete();
    if (query.digest)
        answer.digest = core.digest();
    else if (query.snapshot)
        add_page(ledger, query.after, answer);
    else if (query.since)
        add_changes(ledger, query.since->epoch == core.epoch() ? query.since->seq : 0, answer);
    else
        add_named(ledger, query, silent, answer);
    co_return answer;
}

std::size_t weight(const wire::StatusEntry& entry) {
    std::size_t bytes = 1024 + 2 * entry.message.size();
    if (entry.result) bytes += entry.result->bytes.size() * 4 / 3;
    if (entry.progress) bytes += 2 * entry.progress->message.size();
    return bytes;
}

std::vector<wire::LoadedInstances> idle_instances(const HostCore& core) {
    std::map<std::tuple<std::string, std::string, std::string>, std::uint32_t> counts;
    for (const auto& [id, instance] : core.instances()) {
        const bool is_taken = instance.state == InstanceState::taken;
        if (instance.state != InstanceState::idle && !is_taken) continue;
        const auto held = static_cast<std::uint32_t>(instance.runs.size());
        if (instance.worn || !instance.loaded || held >= instance.places) continue;
        counts[{instance.loaded->tenant.text, instance.loaded->function.text,
                instance.loaded->package.text}] += instance.places - held;
    }
    std::vector<wire::LoadedInstances> loaded;
    for (const auto& [name, count] : counts) {
        const auto& [tenant, function, package] = name;
        loaded.push_back({TenantName{tenant}, FunctionName{function}, Digest{package}, count});
    }
    return loaded;
}

wire::Json describe(const HostCore& core) {
    wire::Json json = wire::Json::object();
    json.set("epoch", core.epoch());
    json.set("last_seq", core.last_seq());
    json.set("complete", core.complete());
    wire::Json instances = wire::Json::array();
    for (const auto& [id, instance] : core.instances()) instances.push(describe_instance(instance));
    json.set("instances", std::move(instances));
    wire::Json runs = wire::Json::array();
    for (const auto& [key, run] : core.runs()) {
        wire::Json item = wire::Json::object();
        item.set("invocation", key.invocation.text);
        item.set("attempt", std::int64_t{key.attempt});
        item.set("state", name_of(run.state));
        item.set("instance", run.instance.text);
        item.set("fenced", run.fenced);
        runs.push(std::move(item));
    }
    json.set("runs", std::move(runs));
    return json;
}

}  // namespace longhaul::host_agent
