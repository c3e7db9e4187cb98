// sim: many histories by seed, or one with a trace.
//
//   sim --seeds N [--first M]   seeds M … M+N-1; says at the end what happened in them
//   sim --seed N                one history, told to stderr
#include "tests/sim/world.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>

namespace {

using namespace longhaul;

// In a default run each of these must have happened; fewer seeds promise nothing.
constexpr std::uint64_t kSeedsThatShowAll = 100;
constexpr const char* kMustHappen[] = {
    "runs",
    "repeated keys",
    "keys misused",
    "stops accepted",
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

struct Options {
    std::uint64_t first = 1;
    std::uint64_t count = 300;
    bool traces = false;
};

bool read(int argc, char** argv, Options& options) {
    for (int index = 1; index < argc; index += 2) {
        if (index + 1 >= argc) return false;
        char* end = nullptr;
        const std::uint64_t value = std::strtoull(argv[index + 1], &end, 10);
        if (*end != '\0') return false;
        if (std::strcmp(argv[index], "--seed") == 0) {
            options = Options{value, 1, true};
        } else if (std::strcmp(argv[index], "--seeds") == 0) {
            options.count = value;
        } else if (std::strcmp(argv[index], "--first") == 0) {
            options.first = value;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!read(argc, argv, options)) {
        std::fprintf(stderr, "usage: sim [--seeds N] [--first N] | --seed N\n");
        return 2;
    }
    std::signal(SIGABRT, name_seed);
    std::map<std::string, std::uint64_t> seen;
    std::uint64_t failed = 0;
    for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
        current_seed = static_cast<std::sig_atomic_t>(seed);
        sim::World world{seed, options.traces};
        const std::string wrong = world.run();
        for (const auto& [what, count] : world.notebook().seen()) seen[what] += count;
        if (wrong.empty()) continue;
        ++failed;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), wrong.c_str());
        std::fflush(stdout);
    }
    for (const auto& [what, count] : seen)
        std::printf("%8llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
    std::uint64_t passed = options.count - failed;
    if (options.count >= kSeedsThatShowAll)
        for (const char* what : kMustHappen)
            if (!seen.contains(what)) {
                std::printf("never happened: %s\n", what);
                ++failed;
            }
    std::printf("%llu passed, %llu failed, 0 skipped\n", static_cast<unsigned long long>(passed),
                static_cast<unsigned long long>(failed));
    return failed == 0 ? 0 : 1;
}
