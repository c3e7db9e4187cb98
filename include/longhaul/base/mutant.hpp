// Planted bugs: each is a rule of the product that the simulator can switch off, one at a time, to
// prove that it would notice (tests/sim, `./dev sim --mutants`).
//
// Always false, at compile time, unless LONGHAUL_MUTANTS is defined, which one program of tests/sim
// does for the sources named in its meson.build; no other build contains any of this.
#pragma once

#include <cstdint>

namespace longhaul {

enum class Mutant : std::uint8_t {
    none,
    // Journal and commits.
    ack_before_sync,      // group_commit: nobody waits until a record is durable
    sync_skipped,         // file_journal: a batch counts as durable once it is written
    failed_sync_ignored,  // file_journal: a failed sync is taken for a good one
    torn_tail_accepted,   // segment_reader: a batch that fails its check is read all the same
    owner_term_kept,      // recovery: a new life goes on under the old term
    term_not_first,       // recovery: a new life writes before its term
    read_not_durable,     // readings: a reader sees what may still vanish
    forgotten_too_early,  // gateway: an end leaves the core before the view has it
    live_bodies_dropped,  // recovery: the bodies of live work are nobody's
    // Keys.
    key_not_looked_up,    // operations: a key that is known is accepted again
    key_not_recovered,    // recovery: live keys are forgotten
    fingerprint_ignored,  // operations: a key serves for another body
    // Slots and queues.
    limit_off_by_one,      // waiting: one more than max_running
    global_limit_ignored,  // waiting
    tenant_limit_ignored,  // fair_queue
    key_limit_ignored,     // function_lines
    priority_reversed,     // function_lines: the least urgent goes first
    paused_queue_granted,  // waiting
    stop_frees_slot,       // entries: what is stopping holds no slot
    place_lost,            // dispatch: what is sent back goes to the end of the line
    drain_ignored,         // host_table: work goes to a host that drains
    // Attempts.
    attempt_number_reused,    // dispatch
    unsure_start_is_refusal,  // dispatcher: a start without an answer is sent elsewhere
    repeated_start_is_fresh,  // dispatcher: what an earlier life may have started counts as unsent
    token_unchecked,          // ends: a report under another token counts
    late_report_counts,       // entries: an attempt that is over may end again
    fence_forgotten,          // ends: an attempt is given up without a fence
    fence_not_told,           // ends: the host does not hear of the fence first
    ack_before_durable,       // gateway: an end is acknowledged before it is durable
    result_not_copied,        // ends: a result stays on its host, which may forget it
    result_unchecked,         // dispatcher: a copy is not held against its digest
    // Stops and clocks.
    stop_intent_not_recovered,  // recovery
    stop_not_repeated,          // recovery: a stop that the last life sent is not sent again
    kill_not_escalated,         // dispatcher: a higher cause is not told while a stop is under way
    cause_falls,                // transition: a cancel takes back a kill
    loss_confirms_stop,         // ends: what was lost counts as proven gone
    sigkill_forgotten,          // transition: a cancel that took SIGKILL is no kill
    timers_not_recovered,       // recovery
    queue_ttl_ignored,          // entries
    status_version_restarts,    // recovery
    // Retries, times to begin at.
    not_before_ignored,  // dispatch
    backoff_ignored,     // retries
    tries_not_counted,   // retries
    lost_run_once_more,  // retries: a lost run is run again unasked
    // News of hosts.
    gap_ignored,            // host_table: a batch follows, whatever came before it
    announced_gap_ignored,  // host_table: an announcement of more than is known asks nothing
    new_epoch_ignored,      // host_table: a host that was born again is not asked
    digest_ignored,         // recovery: two that do not mean the same let it be
    incomplete_is_absent,   // recovery: a host that still searches is believed
    absent_at_once,         // recovery: what started since the question is lost
    // Leases.
    lapsed_lease_used,       // lease_table
    lease_given_twice,       // lease_table
    leased_instance_unsaid,  // dispatcher: a take does not say where it may have started
    count,
};

#ifdef LONGHAUL_MUTANTS
// Whether this one is planted now. Defined, and counted, by the simulator.
[[nodiscard]] bool mutant(Mutant which);
#else
[[nodiscard]] constexpr bool mutant(Mutant) { return false; }
#endif

}  // namespace longhaul
