#include "host_agent/driver/status_query.hpp"

#include <map>
#include <tuple>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

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
    if (instance.run) {
        json.set("invocation", instance.run->invocation.text);
        json.set("attempt", std::int64_t{instance.run->attempt});
    }
    return json;
}

}  // namespace

asio::awaitable<Result<wire::StatusAnswer>> answer_status(Ledger& ledger, LeaseFlow& leases,
                                                          HostId host, wire::StatusQuery query) {
    if (query.keys.size() > wire::kBatchMax)
        co_return make_error(Errc::invalid_argument,
                             "at most " + std::to_string(wire::kBatchMax) + " ids a call");
    // What may run under a lease is not unknown before its runtime agent was heard.
    bool all_heard = true;
    for (std::size_t index = 0; index < query.instances.size() && all_heard; ++index) {
        if (ledger.core().run(run_key(query.keys[index])) != nullptr) continue;
        const InstanceId sent_to = query.instances[index];
        auto heard = co_await leases.hear(sent_to);
        all_heard = heard.has_value();
    }
    auto durable = co_await ledger.durable();
    if (!durable) co_return durable.error();
    // No await from here on: the answer is one moment's.
    const HostCore& core = ledger.core();
    wire::StatusAnswer answer;
    answer.host = std::move(host);
    answer.epoch = core.epoch();
    answer.last_seq = core.last_seq();
    answer.complete = core.complete() && all_heard;
    if (query.snapshot) {
        for (const auto& [key, run] : core.runs()) answer.entries.push_back(ledger.entry(key));
        co_return answer;
    }
    for (const wire::AttemptKey& key : query.keys) {
        if (core.run(run_key(key)) != nullptr)
            answer.entries.push_back(ledger.entry(run_key(key)));
        else
            answer.unknown.push_back(key);
    }
    co_return answer;
}

std::vector<wire::LoadedInstances> idle_instances(const HostCore& core) {
    std::map<std::tuple<std::string, std::string, std::string>, std::uint32_t> counts;
    for (const auto& [id, instance] : core.instances())
        if (instance.state == InstanceState::idle)
            ++counts[{instance.loaded->tenant.text, instance.loaded->function.text,
                      instance.loaded->package.text}];
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
