// The view: what the records add up to, kept for reading. The journal is the truth; the view is fed
// behind the acknowledgement and can always be rebuilt to where the journal begins.
//
// Holds every invocation (one row by id), its history, ended ones by function, state, label and
// time, idempotency keys, functions with their versions, limits and paused queues.
//
// Two users: the feeder (one thread or coroutine) calls apply() and nothing else; readers call the
// rest from any worker thread, at the same time. All calls block.
//
// Invariants:
//   (1) applied() is written atomically with the data: after any crash the view is some prefix of
//       the journal.
//   (2) Index rows of an invocation are written once, at its end, and never rewritten.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/lifecycle/record.hpp"
#include "longhaul/port/journal.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct PositionedRecord {
    port::Position position = 0;
    Record record;
};

struct StoredFunction {
    TenantName tenant;
    std::shared_ptr<const FunctionSpec> current;
    bool paused = false;
    TimePoint updated_at{};
};

struct StoredKey {
    InvocationId invocation;
    std::string fingerprint;
    TimePoint expires_at{};  // max(24 h after accept, end + 1 h)
};

// One line of an invocation's history.
struct HistoryEntry {
    std::uint32_t revision = 0;
    TimePoint at{};
    State state = State::queued;
    AttemptNumber attempt = 0;  // 0 = none
    std::string detail{};       // "lost: …", "cancel by api: …"; "" = nothing to add
};

// What a list asks for. Empty members do not restrict.
struct ListQuery {
    TenantName tenant;
    std::optional<FunctionName> function{};
    std::vector<State> states{};
    std::vector<std::pair<std::string, std::string>> labels{};  // all must match
    std::optional<TimePoint> since{};                           // created at or after
    std::optional<TimePoint> until{};                           // created before
    bool newest_first = true;
    std::uint32_t limit = 50;
    // Continue after this one (exclusive): its created_at and id.
    std::optional<std::pair<TimePoint, InvocationId>> after{};
};

// Everything that a start needs: what is live, and the rest of the small state.
struct ViewSnapshot {
    port::Position applied = 0;
    OwnerTerm owner_term = 0;
    std::optional<RunLimits> limits{};  // nothing until they were set over the API
    std::vector<StoredFunction> functions{};
    std::vector<Invocation> live{};
};

class View {
public:
    virtual ~View() = default;

    // Applies records in order; durable at some later time, atomically with the position.
    [[nodiscard]] virtual Result<void> apply(const std::vector<PositionedRecord>& records) = 0;

    // The last position applied, and the last that a power cut cannot take back: only up to that
    // one may the journal be trimmed.
    [[nodiscard]] virtual port::Position applied() const = 0;
    [[nodiscard]] virtual Result<port::Position> persisted() = 0;
    // Makes everything applied persistent (at shutdown, and before trimming).
    [[nodiscard]] virtual Result<void> flush() = 0;

    [[nodiscard]] virtual Result<ViewSnapshot> load() = 0;

    // Errc::not_found; Errc::gone for one that was purged within the last retention.
    [[nodiscard]] virtual Result<Invocation> get(const InvocationId& id) = 0;
    [[nodiscard]] virtual Result<std::vector<HistoryEntry>> history(const InvocationId& id) = 0;
    // Ended invocations only; lists of live work come from the core.
    [[nodiscard]] virtual Result<std::vector<Invocation>> list_ended(const ListQuery& query) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> count_ended(const ListQuery& query) = 0;
    // Nothing if unknown or expired at `now`.
    [[nodiscard]] virtual Result<std::optional<StoredKey>> find_key(const TenantName& tenant,
                                                                    const FunctionName& function,
                                                                    const std::string& key,
                                                                    TimePoint now) = 0;
    // Drops ended invocations (with history, index rows, and keys that have expired at `before`)
    // that ended before `before`, at most `max` of them; returns the names of body-store files that
    // nobody refers to any more. A key that has not expired stays, and names one that is gone (I2).
    // May run beside apply().
    [[nodiscard]] virtual Result<std::vector<std::string>> purge_ended(TimePoint before,
                                                                       std::uint32_t max) = 0;
    // The body-store files that some invocation refers to, live or ended: what BodyStore::open()
    // must keep. Sorted.
    [[nodiscard]] virtual Result<std::vector<std::string>> files() = 0;
    // What a function was, newest first; `paused` means nothing here. Bounded.
    [[nodiscard]] virtual Result<std::vector<StoredFunction>> versions(
        const TenantName& tenant, const FunctionName& function) = 0;
};

}  // namespace longhaul::gateway
