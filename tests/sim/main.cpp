// sim: many histories by seed, or one with a trace.
//
//   sim --seeds N [--first M] [--jobs J]   seeds M … M+N-1, J processes (one for each processor);
//                                          says at the end what happened in them
//   sim --histories N --hours H            N long ones, with little happening in each
//   sim --seed N [--hours H]               one history, told to stderr
//
// Every run of many begins with the seeds that once failed.
#include "tests/sim/children.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace {

using namespace longhaul;

// In a default run each of these must have happened; fewer seeds promise nothing.
constexpr std::uint64_t kSeedsThatShowAll = 100;
constexpr const char* kMustHappen[] = {
    "runs",
    "repeated keys",
    "keys misused",
    "stops accepted",
    "changes of mind",
    "scheduled ones that began",
    "retries",
    "retries of lost runs",
    "stops that escalated",
    "stops repeated",
    "fences",
    "takes repeated",
    "starts repeated",
    "results fetched",
    "results checked",
    "events published",
    "runs found when asked",
    "ends found when asked",
    "snapshots by pages",
    "deltas",
    "digests asked for",
    "attempts asked for by name",
    "reports in pieces",
    "reports asked for again",
    "kills of the status service",
    "runs lost by a reboot",
    "incomplete answers",
    "agent restarts with live work",
    "partitions",
    "leases offered",
    "leases taken back",
    "runs under a lease",
    "runs under a lease while the agent is down",
    "runs under a lease that were asked for",
    "starts under a lease refused",
    "leased instances that died",
    "runs of production hosts",
    "host agents that died in the midst of things",
    "host agents that died while they started",
    "storage failures of hosts",
    "instances that died",
    "runs that died with their instance",
    "drains with a limit",
    "drains",
    "calms",
    "deaf hosts",
    "kills while a cancel is told",
    "stops out of reach",
    "starts among losses",
    "many submits at once",
    "deaths at a start, and hosts that are deaf then",
    "ends told again",
    "views that cannot be written",
    "deaths in the midst of things",
    "deaths while it starts",
    "results damaged on the way",
    "reports under another token",
    "power cuts",
    "kills of the gateway",
    "orderly stops",
    "storage failures",
    "gateway restarts with live work",
    "gateway restarts while functions run",
    "ended by itself while it was stopped",
    "ended as succeeded",
    "ended as failed",
    "ended as timed_out",
    "ended as cancelled",
    "ended as killed",
    "ended as expired",
    "reason lost",
    "reason load",
};

volatile std::sig_atomic_t current_seed = 0;

// An assertion of the product fails by abort(): the seed is what a person needs then.
void name_seed(int) {
    std::fprintf(stderr, "sim: aborted in seed %d; ./dev sim --seed %d tells its history\n",
                 static_cast<int>(current_seed), static_cast<int>(current_seed));
    std::signal(SIGABRT, SIG_DFL);
}

// Seeds that once failed, whatever the cause was.
constexpr std::uint64_t kFailedOnce[] = {622, 714, 818};

struct Options {
    std::uint64_t first = 1;
    std::uint64_t count = 300;
    std::size_t jobs = sim::processors();
    bool traces = false;
    Duration lasts{0};
};

bool read(int argc, char** argv, Options& options) {
    for (int index = 1; index < argc; index += 2) {
        if (index + 1 >= argc) return false;
        char* end = nullptr;
        const std::uint64_t value = std::strtoull(argv[index + 1], &end, 10);
        if (*end != '\0') return false;
        if (std::strcmp(argv[index], "--seed") == 0) {
            options.first = value;
            options.count = options.jobs = 1;
            options.traces = true;
        } else if (std::strcmp(argv[index], "--hours") == 0) {
            options.lasts = std::chrono::hours(value);
        } else if (std::strcmp(argv[index], "--seeds") == 0 ||
                   std::strcmp(argv[index], "--histories") == 0) {
            options.count = value;
        } else if (std::strcmp(argv[index], "--first") == 0) {
            options.first = value;
        } else if (std::strcmp(argv[index], "--jobs") == 0) {
            options.jobs = std::max<std::size_t>(1, value);
        } else {
            return false;
        }
    }
    return true;
}

// What a run of some seeds has shown.
struct Sum {
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::map<std::string, std::uint64_t> seen;
};

void run_seed(const sim::Story& story, Sum& sum) {
    current_seed = static_cast<std::sig_atomic_t>(story.seed);
    sim::World world{story};
    const std::string wrong = world.run();
    for (const auto& [what, count] : world.notebook().seen()) sum.seen[what] += count;
    ++(wrong.empty() ? sum.passed : sum.failed);
    if (wrong.empty()) return;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(story.seed), wrong.c_str());
    std::fflush(stdout);
}

// The share of one child; what it has seen goes to the parent as lines.
void run_share(std::size_t number, const Options& options) {
    Sum sum;
    if (number == 0)
        for (const std::uint64_t seed : kFailedOnce)
            run_seed(sim::Story{seed, false, options.lasts}, sum);
    for (std::uint64_t at = number; at < options.count; at += options.jobs)
        run_seed(sim::Story{options.first + at, false, options.lasts}, sum);
    for (const auto& [what, count] : sum.seen)
        std::printf("saw %llu %s\n", static_cast<unsigned long long>(count), what.c_str());
    std::printf("passed %llu\nfailed %llu\n", static_cast<unsigned long long>(sum.passed),
                static_cast<unsigned long long>(sum.failed));
}

void add_share(const sim::ChildEnd& end, Sum& sum) {
    std::istringstream lines{end.text};
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words{line};
        std::string word;
        std::uint64_t count = 0;
        words >> word >> count;
        if (word == "saw" && words)
            sum.seen[line.substr(line.find(' ', 4) + 1)] += count;
        else if (word == "passed" && words)
            sum.passed += count;
        else if (word == "failed" && words)
            sum.failed += count;
        else
            std::printf("%s\n", line.c_str());
    }
    if (!end.ended_well) ++sum.failed;
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!read(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: sim [--seeds N | --histories N --hours H] [--first N] [--jobs N] | "
                     "--seed N [--hours H]\n");
        return 2;
    }
    std::signal(SIGABRT, name_seed);
    Sum sum;
    if (options.traces)
        run_seed(sim::Story{options.first, true, options.lasts}, sum);
    else
        sim::run_children(
            options.jobs, options.jobs, [&](std::size_t number) { run_share(number, options); },
            [&](const sim::ChildEnd& end) { add_share(end, sum); });
    for (const auto& [what, count] : sum.seen)
        std::printf("%8llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
    if (options.count >= kSeedsThatShowAll)
        for (const char* what : kMustHappen)
            if (!sum.seen.contains(what)) {
                std::printf("never happened: %s\n", what);
                ++sum.failed;
            }
    std::printf("%llu passed, %llu failed, 0 skipped\n",
                static_cast<unsigned long long>(sum.passed),
                static_cast<unsigned long long>(sum.failed));
    return sum.failed == 0 ? 0 : 1;
}
