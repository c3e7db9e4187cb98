// Start = view + tail of the journal.
#include "gateway/driver/handle.hpp"
#include "gateway/ledger/record_codec.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>
#include <unordered_set>

namespace longhaul::gateway {

boost::asio::awaitable<Result<void>> Gateway::recover() {
    auto snapshot = ports_.view.load();
    if (!snapshot) co_return snapshot.error();
    const port::JournalOpening opening = ports_.journal.opening();
    if (!opening.cut_tail.empty())
        logger_.warning("journal_tail_cut", {{"what", opening.cut_tail}});
    if (snapshot->applied > opening.last)
        co_return make_error(Errc::corrupt,
                             "the view has applied position " + std::to_string(snapshot->applied) +
                                 " but the journal ends at " + std::to_string(opening.last));
    if (snapshot->applied + 1 < opening.first)
        co_return make_error(Errc::corrupt,
                             "the view ends at position " + std::to_string(snapshot->applied) +
                                 " but the journal begins at " + std::to_string(opening.first));
    scheduler_.load_owner_term(snapshot->owner_term);
    if (snapshot->limits) scheduler_.load_limits(*snapshot->limits);
    for (StoredFunction& function : snapshot->functions)
        scheduler_.load_function(function.tenant, function.current, function.paused,
                                 function.updated_at);
    for (Invocation& invocation : snapshot->live) scheduler_.load_invocation(std::move(invocation));

    std::vector<PositionedRecord> tail;
    auto replayed = replay_from(snapshot->applied, tail);
    if (!replayed) co_return replayed.error();

    std::unordered_set<std::string> bodies;
    scheduler_.for_each([&](const Invocation& invocation) {
        if (!invocation.body.file.empty() && !mutant(Mutant::live_bodies_dropped))
            bodies.insert(invocation.body.file);
        if (invocation.result && !invocation.result->file.empty())
            bodies.insert(invocation.result->file);
    });
    for (const PositionedRecord& positioned : tail) {
        const Change* change = change_of(positioned.record);
        if (change && is_terminal(change->state))
            ended_.emplace_back(positioned.position, change->id);
        if (const auto* purged = std::get_if<PurgedRecord>(&positioned.record)) {
            purged_.emplace_back(positioned.position, purged->id);
            purged_ids_.insert(purged->id);
        }
    }
    feeder_.feed(std::move(tail));
    auto ended_files = ports_.view.files();
    if (!ended_files) co_return ended_files.error();
    bodies.insert(ended_files->begin(), ended_files->end());
    auto opened = co_await ports_.bodies.open(std::move(bodies));
    if (!opened) co_return opened.error();
    std::unordered_set<std::string> none;
    co_return co_await ports_.uploads.open(std::move(none));
}

// Everything after `applied` goes to the scheduler and into `tail`; what lies before it, and whose
// events are not out, only to those.
Result<void> Gateway::replay_from(port::Position applied, std::vector<PositionedRecord>& tail) {
    port::Position unpublished = applied + 1;
    if (publisher_) {
        auto opened = publisher_->open(ports_.journal.opening());
        if (!opened) return opened.error();
        unpublished = *opened;
    }
    return ports_.journal.replay(
        std::min(unpublished, applied + 1),
        [&](port::Position position, std::string_view bytes) -> Result<void> {
            auto record = decode_record(bytes);
            if (!record)
                return make_error(record.error().code, "position " + std::to_string(position) +
                                                           ": " + record.error().message);
            if (position > applied) scheduler_.replayed(*record);
            PositionedRecord positioned{position, std::move(*record)};
            if (publisher_ && position >= unpublished) republish(positioned);
            if (position > applied) tail.push_back(std::move(positioned));
            return {};
        });
}

void Gateway::republish(const PositionedRecord& positioned) {
    const InvocationId* id = invocation_of(positioned.record);
    const auto* accepted = std::get_if<AcceptedRecord>(&positioned.record);
    const Invocation* about = id ? scheduler_.find(*id) : nullptr;
    if (accepted) about = &accepted->invocation;
    if (!id || about) return publisher_->add(positioned, about);
    // Ended, and only the view knows it; or purged since.
    const auto ended = ports_.view.get(*id);
    publisher_->add(positioned, ended ? &*ended : nullptr);
}

}  // namespace longhaul::gateway
