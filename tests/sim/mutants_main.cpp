// sim_mutants: plants one bug after another in the product and requires that the simulator sees it.
//
//   sim_mutants [--seeds N]             all of them, up to N seeds each (1000)
//   sim_mutants [--seeds N] --mutant M  one, by name
//   sim_mutants --mutant M --seed S     one history of it, told to stderr
//
// Each runs in a process of its own: some end it. A mutant fails that no seed reaches, or that none
// of them catches.
#include "longhaul/base/mutant.hpp"
#include "tests/sim/children.hpp"
#include "tests/sim/world.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace longhaul {
namespace {

Mutant planted = Mutant::none;
std::uint64_t reached = 0;

}  // namespace

bool mutant(Mutant which) {
    if (which != planted) return false;
    ++reached;
    return true;
}

}  // namespace longhaul

namespace {

using namespace longhaul;

// In the order of the enumeration.
constexpr const char* kNames[] = {
    "none",
    "ack_before_sync",
    "sync_skipped",
    "failed_sync_ignored",
    "torn_tail_accepted",
    "owner_term_kept",
    "term_not_first",
    "read_not_durable",
    "forgotten_too_early",
    "live_bodies_dropped",
    "key_not_looked_up",
    "key_not_recovered",
    "fingerprint_ignored",
    "limit_off_by_one",
    "global_limit_ignored",
    "tenant_limit_ignored",
    "key_limit_ignored",
    "priority_reversed",
    "paused_queue_granted",
    "stop_frees_slot",
    "place_lost",
    "drain_ignored",
    "attempt_number_reused",
    "unsure_start_is_refusal",
    "repeated_start_is_fresh",
    "token_unchecked",
    "late_report_counts",
    "fence_forgotten",
    "fence_not_told",
    "ack_before_durable",
    "result_not_copied",
    "result_unchecked",
    "stop_intent_not_recovered",
    "stop_not_repeated",
    "kill_not_escalated",
    "cause_falls",
    "loss_confirms_stop",
    "sigkill_forgotten",
    "timers_not_recovered",
    "queue_ttl_ignored",
    "status_version_restarts",
    "not_before_ignored",
    "backoff_ignored",
    "tries_not_counted",
    "lost_run_once_more",
    "gap_ignored",
    "announced_gap_ignored",
    "new_epoch_ignored",
    "digest_ignored",
    "incomplete_is_absent",
    "absent_at_once",
    "lapsed_lease_used",
    "lease_given_twice",
    "leased_instance_unsaid",
};
constexpr std::size_t kCount = static_cast<std::size_t>(Mutant::count);
static_assert(std::size(kNames) == kCount);

constexpr time_t kSeedSeconds = 60;  // of processor time: one that takes longer hangs

struct Options {
    std::uint64_t seeds = 1000;
    std::uint64_t seed = 0;  // 0 = all
    std::size_t mutant = 0;  // 0 = all
};

volatile std::sig_atomic_t current_seed = 0;

void caught_by_signal(int signal) {
    std::printf("CAUGHT seed %d: %s\n", static_cast<int>(current_seed),
                signal == SIGPROF ? "it hangs" : "an assertion of the product");
    std::fflush(stdout);
    _exit(0);
}

void hunt(std::size_t number, const Options& options) {
    std::signal(SIGABRT, caught_by_signal);
    std::signal(SIGPROF, caught_by_signal);
    planted = static_cast<Mutant>(number);
    const std::uint64_t first = options.seed == 0 ? 1 : options.seed;
    const std::uint64_t last = options.seed == 0 ? options.seeds : options.seed;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        current_seed = static_cast<std::sig_atomic_t>(seed);
        const itimerval limit{{}, {kSeedSeconds, 0}};
        setitimer(ITIMER_PROF, &limit, nullptr);
        sim::World world{sim::Story{seed, options.seed != 0}};
        const std::string wrong = world.run();
        if (wrong.empty()) continue;
        std::printf("CAUGHT seed %llu: %s\n", static_cast<unsigned long long>(seed), wrong.c_str());
        return;
    }
    std::printf(reached == 0 ? "NEVER REACHED\n" : "SURVIVED\n");
}

// The line with the verdict, and before it an assertion's, if there is one.
std::string verdict_of(const std::string& text) {
    std::string verdict = "ended without a word";
    std::string assertion;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        const auto place = line.find("assertion failed: ");
        if (place != std::string::npos) assertion = ": " + line.substr(place + 18);
        if (line.starts_with("CAUGHT") || line == "SURVIVED" || line == "NEVER REACHED")
            verdict = line;
        begin = end + 1;
    }
    return verdict.ends_with("of the product") ? verdict + assertion : verdict;
}

bool read(int argc, char** argv, Options& options) {
    for (int index = 1; index + 1 < argc; index += 2) {
        if (std::strcmp(argv[index], "--mutant") == 0) {
            for (std::size_t number = 1; number < kCount; ++number)
                if (std::strcmp(argv[index + 1], kNames[number]) == 0) options.mutant = number;
            if (options.mutant == 0) return false;
        } else if (std::strcmp(argv[index], "--seeds") == 0) {
            options.seeds = std::strtoull(argv[index + 1], nullptr, 10);
        } else if (std::strcmp(argv[index], "--seed") == 0) {
            options.seed = std::strtoull(argv[index + 1], nullptr, 10);
        } else {
            return false;
        }
    }
    return argc % 2 == 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!read(argc, argv, options)) {
        std::fprintf(stderr, "usage: sim_mutants [--seeds N] [--mutant NAME [--seed N]]\n");
        return 2;
    }
    if (options.seed != 0) {
        hunt(options.mutant, options);
        return 0;
    }
    const std::size_t first = options.mutant == 0 ? 1 : options.mutant;
    const std::size_t count = options.mutant == 0 ? kCount - 1 : 1;
    std::size_t caught = 0;
    sim::run_children(
        count, sim::processors(), [&](std::size_t number) { hunt(first + number, options); },
        [&](const sim::ChildEnd& end) {
            const std::string verdict = verdict_of(end.text);
            if (verdict.starts_with("CAUGHT")) ++caught;
            std::printf("%-26s %s\n", kNames[first + end.number], verdict.c_str());
            std::fflush(stdout);
        });
    std::printf("%zu passed, %zu failed, 0 skipped\n", caught, count - caught);
    return caught == count ? 0 : 1;
}
