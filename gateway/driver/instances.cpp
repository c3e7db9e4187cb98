// Instances, for people: what each host says of its own, put together.
#include "gateway/driver/handle.hpp"
#include "gateway/driver/run_request.hpp"
#include "longhaul/wire/json.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kAsking = 32;  // hosts at a time
constexpr std::uint64_t kStateBytesMax = 16u << 20;

// Nothing: it is no description of an instance.
std::optional<InstanceInfo> read_instance(const wire::Json& told, const HostId& host) {
    InstanceInfo info;
    info.host = host;
    AttemptName run;
    wire::ObjectReader reader(told);
    reader.require("id");
    reader.text("id", info.id.text);
    reader.text("state", info.state);
    reader.text("tenant", info.tenant);
    reader.text("function", info.function);
    reader.text("version", info.version);
    reader.text("idle_since", info.idle_since);
    reader.number("memory_mb", info.memory_mb, 0, UINT32_MAX);
    reader.number("concurrency", info.concurrency, 1, UINT32_MAX);
    reader.number("running", info.running, 0, UINT32_MAX);
    const bool is_busy = reader.text("invocation", run.first.text);
    reader.number("attempt", run.second, 0, UINT32_MAX);
    if (is_busy) info.busy_with = std::move(run);
    if (!reader.finish()) return std::nullopt;
    return info;
}

}  // namespace

// Of the asker, who may leave, and of the questions, which end later.
struct Gateway::InstanceSurvey {
    InstanceSurvey(boost::asio::any_io_executor executor, std::size_t count)
        : answered(executor), answers(count) {}

    std::vector<std::pair<HostId, std::string>> hosts{};  // with their addresses
    std::size_t next = 0;
    std::size_t open = 0;  // workers
    net::Notifier answered;
    std::vector<std::optional<wire::Json>> answers;  // by host
};

boost::asio::awaitable<InstanceList> Gateway::instances() {
    const auto& all = scheduler_.hosts().all();
    const auto survey = std::make_shared<InstanceSurvey>(tasks_.executor(), all.size());
    InstanceList list;
    for (const auto& [id, host] : all) {
        if (host.known && !host.suspect)
            survey->hosts.emplace_back(id, host.news.address);
        else
            list.unreachable.push_back(id);
    }
    survey->open = std::min(kAsking, survey->hosts.size());
    const std::size_t workers = survey->open;
    for (std::size_t worker = 0; worker < workers; ++worker)
        tasks_.start("instances", ask_instances(survey));
    const TimePoint until = ports_.clock.now() + limits_.instances_wait;
    while (survey->open > 0 && !stopping_ && ports_.clock.now() < until)
        (void)co_await survey->answered.wait_until(ports_.clock, until);
    for (std::size_t index = 0; index < survey->hosts.size(); ++index) {
        const HostId& host = survey->hosts[index].first;
        const std::optional<wire::Json>& answer = survey->answers[index];
        const wire::Json::Array* told = answer ? (*answer)["instances"].as_array() : nullptr;
        if (!told) {
            list.unreachable.push_back(host);
            continue;
        }
        for (const wire::Json& instance : *told)
            if (auto info = read_instance(instance, host))
                list.instances.push_back(std::move(*info));
    }
    std::ranges::sort(list.unreachable);
    co_return list;
}

boost::asio::awaitable<void> Gateway::ask_instances(std::shared_ptr<InstanceSurvey> survey) {
    while (survey->next < survey->hosts.size()) {
        const std::size_t index = survey->next++;
        std::string address = survey->hosts[index].second;
        port::PeerRequest request{"GET", "/v1/state"};
        auto text = co_await call_for_json(ports_.peer, std::move(address), std::move(request),
                                           limits_.instances_wait, kStateBytesMax);
        if (!text) continue;
        auto state = wire::parse_json(*text, {.bytes_max = kStateBytesMax});
        if (state) survey->answers[index] = std::move(*state);
    }
    --survey->open;
    survey->answered.notify_all();
}

}  // namespace longhaul::gateway
