// What a decision of the gateway's core costs, and what an invocation costs it in memory: the pure
// core alone, with everything that waits in it. Each figure stands beside the same work done in the
// plainest way.
//
//   core choose COUNT TENANTS FUNCTIONS KEYS   next of so many that wait, in so many lines
//   core memory queued|running COUNT           resident bytes of each
#include "gateway/core/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <malloc.h>
#include <time.h>
#include <unistd.h>

namespace {

using namespace longhaul;
using namespace longhaul::gateway;

// Of this process's own processor time: whoever else is busy does not count.
class Watch {
public:
    [[nodiscard]] double ns_per(std::size_t steps) const {
        return (now() - begin_) / static_cast<double>(steps);
    }

private:
    static double now() {
        timespec time{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    }
    const double begin_ = now();
};

// The machine's own: the first of a sorted map of as many, taken out and put back at the end.
double bare_ns(std::size_t count, std::size_t steps) {
    std::map<std::uint64_t, std::uint64_t> line;
    for (std::uint64_t ticket = 0; ticket < count; ++ticket) line.emplace(ticket, ticket);
    const Watch watch;
    for (std::uint64_t step = 0; step < steps; ++step) {
        line.erase(line.begin());
        line.emplace(count + step, step);
    }
    return watch.ns_per(steps);
}

struct Lines {
    std::size_t count = 0;
    std::size_t tenants = 0;
    std::size_t functions = 0;  // of each tenant
    std::size_t keys = 0;       // of each function
};

struct Item : Waiter {
    FairShare* share = nullptr;
    std::uint8_t priority = 0;
    std::string key{};
};

// One decision: who is next, its charge, out of its line, a run of it begins and another ends; and
// a new one waits, so that the queue stays as long as it is.
double choose_ns(const Lines& lines, std::size_t steps) {
    FairQueue queue;
    std::vector<std::unique_ptr<FairShare>> shares;
    for (std::size_t tenant = 0; tenant < lines.tenants; ++tenant)
        for (std::size_t function = 0; function < lines.functions; ++function) {
            shares.push_back(std::make_unique<FairShare>());
            queue.join(*shares.back(), TenantName{"t" + std::to_string(tenant)});
            queue.set_limits(*shares.back(), 1'000'000, 0, false);
        }
    std::vector<Item> items(lines.count);
    std::uint64_t ticket = 1;
    const auto wait = [&](Item& item) {
        item.ticket = ticket++;
        item.demand = {512, 1000};
        queue.insert(*item.share, item, item.priority, item.key);
    };
    for (std::size_t index = 0; index < items.size(); ++index) {
        Item& item = items[index];
        item.share = shares[index * 7919 % shares.size()].get();
        item.priority = static_cast<std::uint8_t>(index % 3);
        if (lines.keys > 0) item.key = "k" + std::to_string(index / 3 % lines.keys);
        wait(item);
    }
    const Watch watch;
    for (std::size_t step = 0; step < steps; ++step) {
        const FairQueue::Next next = queue.next();
        Item& item = static_cast<Item&>(*next.waiter);
        queue.charge(next);
        queue.erase(*item.share, item);
        queue.hold(*item.share, item.key);
        queue.release(*item.share, item.key);
        wait(item);
    }
    return watch.ns_per(steps);
}

int choose(const Lines& lines) {
    const std::size_t steps = std::min<std::size_t>(lines.count, 500'000);
    const double bare = bare_ns(lines.count, steps);
    const double ours = choose_ns(lines, steps);
    std::printf("{\"ns\": %.0f, \"bare_ns\": %.0f}\n", ours, bare);
    return 0;
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    file >> pages >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

SubmitRequest request_of(std::size_t number) {
    SubmitRequest request;
    request.id = make_invocation_id(TimePoint(std::chrono::seconds(1'800'000'000)), 0,
                                    number * 0x9e3779b97f4a7c15ULL);
    request.tenant = TenantName{"default"};
    request.function = FunctionName{"f"};
    request.body.content_type = "application/json";
    request.body.inline_bytes = "{\"order\": " + std::to_string(number) + "}";
    request.body.size = request.body.inline_bytes.size();
    request.body.sha256 = std::string(64, 'a');
    request.options.fingerprint = std::string(64, 'b');
    return request;
}

int memory(bool running, std::size_t count) {
    SchedulerLimits limits;
    limits.run.global_max = 10'000'000;
    limits.queued_max = 10'000'000;
    Scheduler scheduler(limits, 1);
    TimePoint now{std::chrono::seconds(1'800'000'000)};
    Outcome out;
    scheduler.begin(now, out);
    FunctionSpec spec;
    spec.name = FunctionName{"f"};
    spec.version = Digest{"sha256:" + std::string(64, 'c')};
    spec.command = {"true"};
    spec.memory_mb = 1;
    spec.max_running = 10'000'000;
    spec.max_queued = 10'000'000;
    if (!scheduler.put_function(now, TenantName{"default"}, spec, out)) return 1;
    if (running) {
        HostNews news;
        news.host = HostId{"h1"};
        news.epoch = 1;
        news.address = "127.0.0.1:7090";
        news.memory_mb = news.instances_max = 4'000'000'000;
        scheduler.host_news(now, news, out);
    }
    out = {};
    ::malloc_trim(0);
    const std::uint64_t before = resident_bytes();
    for (std::size_t number = 0; number < count; ++number) {
        if (!scheduler.submit(now, request_of(number), out)) return 1;
        out.clear();
    }
    ::malloc_trim(0);
    const std::uint64_t grown = resident_bytes() - before;
    std::printf("{\"bytes\": %.0f}\n", static_cast<double>(grown) / static_cast<double>(count));
    return scheduler.live_count() == count ? 0 : 1;
}

std::size_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "choose" && argc == 6)
        return choose({number(argv[2]), number(argv[3]), number(argv[4]), number(argv[5])});
    if (what == "memory" && argc == 4)
        return memory(std::string_view(argv[2]) == "running", number(argv[3]));
    std::fprintf(stderr,
                 "core choose COUNT TENANTS FUNCTIONS KEYS | core memory queued|running COUNT\n");
    return 2;
}
