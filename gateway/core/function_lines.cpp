#include "gateway/core/function_lines.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {

bool FunctionLines::may_run(const Key& key) const {
    return key.name.empty() || key_max_ == 0 || key.running < key_max_ ||
           mutant(Mutant::key_limit_ignored);
}

void FunctionLines::set_key_max(std::uint32_t key_max) {
    if (key_max == key_max_) return;
    key_max_ = key_max;
    for (auto& [name, key] : keys_) settle(key);
}

// Each of its lines in the ring or out of it, as its runs allow.
void FunctionLines::settle(Key& key) {
    for (auto& [priority, line] : key.lines) {
        if (may_run(key) == line.in_ring) continue;
        if (line.in_ring)
            leave(line);
        else
            enter(line);
    }
}

void FunctionLines::enter(Line& line) {
    Level& level = levels_[line.priority];
    level.round.enter(line.turn);
    level.ring.insert(&line);
    line.in_ring = true;
}

void FunctionLines::leave(Line& line) {
    levels_[line.priority].ring.erase(&line);
    line.in_ring = false;
}

void FunctionLines::insert(Waiter& waiter, std::uint8_t priority, const std::string& name) {
    LH_ASSERT(priority < kPriorities);
    Key& key = keys_.try_emplace(name).first->second;
    if (key.name.size() != name.size()) key.name = name;
    Line& line = key.lines[priority];
    Level& level = levels_[priority];
    const Waiter* first = line.waiters.front();
    line.waiters.insert(waiter);
    waiter.line = &line;
    if (line.waiters.front() != first) {
        if (first) by_age_.erase({first->ticket, &line});
        by_age_.emplace(waiter.ticket, &line);
    }
    ++level.waiting;
    if (first) return;
    line.key = &key;
    line.priority = priority;
    ++level.lines;
    level.round.enter_last(line.turn);
    if (may_run(key)) enter(line);
}

void FunctionLines::erase(Waiter& waiter) {
    Line& line = *waiter.line;
    Level& level = levels_[line.priority];
    const bool was_first = line.waiters.front() == &waiter;
    if (was_first) by_age_.erase({waiter.ticket, &line});
    line.waiters.erase(waiter);
    waiter.line = nullptr;
    --level.waiting;
    if (!line.waiters.empty()) {
        if (was_first) by_age_.emplace(line.waiters.front()->ticket, &line);
        return;
    }
    if (line.in_ring) leave(line);
    --level.lines;
    Key& key = *line.key;
    key.lines.erase(line.priority);
    drop_if_idle(key.name);
}

void FunctionLines::drop_if_idle(const std::string& name) {
    const auto found = keys_.find(name);
    if (found->second.running == 0 && found->second.lines.empty()) keys_.erase(found);
}

void FunctionLines::charge(Waiter& waiter) {
    Line& line = *waiter.line;
    const bool was_in_ring = line.in_ring;
    if (was_in_ring) leave(line);
    levels_[line.priority].round.charge(line.turn, 1);
    if (was_in_ring) enter(line);
}

void FunctionLines::hold(const std::string& name) {
    Key& key = keys_.try_emplace(name).first->second;
    if (key.name.size() != name.size()) key.name = name;
    ++key.running;
    settle(key);
}

void FunctionLines::release(const std::string& name) {
    Key& key = keys_.at(name);
    LH_ASSERT(key.running > 0);
    --key.running;
    settle(key);
    drop_if_idle(name);
}

Waiter* FunctionLines::head() const {
    for (std::size_t at = 0; at < levels_.size(); ++at) {
        const bool is_reversed = mutant(Mutant::priority_reversed);
        const Level& level = levels_[is_reversed ? levels_.size() - 1 - at : at];
        if (!level.ring.empty()) return (*level.ring.begin())->waiters.front();
    }
    return nullptr;
}

bool FunctionLines::key_is_full(const std::string& name) const {
    const auto found = keys_.find(name);
    return found != keys_.end() && !may_run(found->second);
}

const Waiter* FunctionLines::oldest() const {
    return by_age_.empty() ? nullptr : by_age_.begin()->second->waiters.front();
}

FunctionLines::Place FunctionLines::place_of(std::uint64_t ticket, std::uint8_t priority,
                                             const std::string& name) const {
    std::uint64_t more_urgent = 0;
    for (std::uint8_t level = 0; level < priority; ++level) more_urgent += levels_[level].waiting;
    Place place{1, 0};
    std::uint64_t in_own = 0;
    std::uint64_t other_lines = levels_[priority].lines;
    const auto key = keys_.find(name);
    const Line* line = nullptr;
    if (key != keys_.end()) {
        const auto found = key->second.lines.find(priority);
        if (found != key->second.lines.end()) line = &found->second;
    }
    if (line) {
        in_own = line->waiters.size();
        place.in_line += line->waiters.before(ticket);
        --other_lines;
    }
    const std::uint64_t in_others = levels_[priority].waiting - in_own;
    place.in_all = more_urgent + place.in_line + std::min(in_others, place.in_line * other_lines);
    return place;
}

void FunctionLines::check_invariants() const {
    std::array<std::uint64_t, kPriorities> waiting{};
    std::size_t in_rings = 0;
    std::size_t lines = 0;
    for (const auto& [name, key] : keys_) {
        LH_ASSERT(key.name == name);
        LH_ASSERT(key.running > 0 || !key.lines.empty());
        for (const auto& [priority, line] : key.lines) {
            LH_ASSERT(!line.waiters.empty());
            line.waiters.check_invariants();
            LH_ASSERT(line.in_ring == may_run(key));
            waiting[priority] += line.waiters.size();
            ++lines;
            if (line.in_ring) ++in_rings;
        }
    }
    LH_ASSERT(by_age_.size() == lines);
    for (std::uint8_t level = 0; level < kPriorities; ++level) {
        LH_ASSERT(levels_[level].waiting == waiting[level]);
        in_rings -= levels_[level].ring.size();
    }
    LH_ASSERT(in_rings == 0);
}

}  // namespace longhaul::gateway
