// Histories of invocations as a gateway would journal them, by seed, and a model of what they add
// up to.
#pragma once

#include "gateway/ledger/view.hpp"
#include "tests/support/seeded_random.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace longhaul::test {

// Makes records one after the other, each legal after the former.
class HistoryMaker {
public:
    explicit HistoryMaker(std::uint64_t seed) : random_(seed) {}

    [[nodiscard]] gateway::PositionedRecord next();
    [[nodiscard]] std::vector<gateway::PositionedRecord> next(std::size_t count);

private:
    [[nodiscard]] Record accept();
    [[nodiscard]] Record advance(Invocation& invocation);
    [[nodiscard]] Record end(const Change& change, const Invocation& invocation);

    SeededRandom random_;
    port::Position position_ = 0;
    TimePoint now_{std::chrono::seconds{1'800'000'000}};
    std::uint64_t accepted_ = 0;
    std::vector<Invocation> live_;
};

// What a view should say after some records, in the plainest code.
class ViewModel {
public:
    void apply(const std::vector<gateway::PositionedRecord>& records);

    [[nodiscard]] std::vector<std::string> live_ids() const;
    [[nodiscard]] std::vector<Invocation> list(const gateway::ListQuery& query) const;
    [[nodiscard]] std::set<std::string> files() const;
    // Takes out what ended before `before`, the first `max` by (end, id).
    void purge(TimePoint before, std::uint32_t max);

    std::map<std::string, Invocation> invocations;
    std::map<std::string, std::size_t> history_lines;
    std::map<std::string, gateway::StoredFunction> functions;
    std::set<std::string> purged;
    std::optional<RunLimits> limits{};
    OwnerTerm owner_term = 0;

private:
    void apply_single(const Record& record);
};

// Any restriction that the maker's names can meet.
[[nodiscard]] gateway::ListQuery random_query(SeededRandom& random);

}  // namespace longhaul::test
