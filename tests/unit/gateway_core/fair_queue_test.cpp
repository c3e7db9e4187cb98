// Turns between tenants, functions and keys, alone and against a naive model: a list of all that
// wait, searched from end to end. Guards I7.
#include "gateway/core/fair_queue.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace longhaul::gateway::test {
namespace {

using longhaul::test::SeededRandom;

constexpr Demand kSlot{512, 1000};

struct Item : Waiter {
    FairShare* share = nullptr;
    std::uint8_t priority = 3;
    std::string key{};
};

// Few lines of language about a FairQueue.
class Turns {
public:
    FairShare& function(const std::string& tenant, std::uint32_t running_max = 1'000,
                        std::uint32_t key_max = 1) {
        shares_.push_back(std::make_unique<FairShare>());
        queue.join(*shares_.back(), TenantName{tenant});
        queue.set_limits(*shares_.back(), running_max, key_max, false);
        return *shares_.back();
    }
    Item& wait(FairShare& share, std::uint8_t priority = 3, const std::string& key = {},
               Demand demand = kSlot) {
        items_.push_back(std::make_unique<Item>());
        Item& item = *items_.back();
        item.ticket = next_ticket_++;
        item.demand = demand;
        item.share = &share;
        item.priority = priority;
        item.key = key;
        queue.insert(share, item, priority, key);
        return item;
    }
    // The next one starts.
    Item* start() {
        const FairQueue::Next next = queue.next();
        if (!next.waiter) return nullptr;
        Item& item = static_cast<Item&>(*next.waiter);
        queue.charge(next);
        queue.erase(*item.share, item);
        queue.hold(*item.share, item.key);
        queue.check_invariants();
        return &item;
    }
    void end(const Item& item) {
        queue.release(*item.share, item.key);
        queue.check_invariants();
    }

    FairQueue queue;

private:
    std::vector<std::unique_ptr<FairShare>> shares_;
    std::vector<std::unique_ptr<Item>> items_;
    std::uint64_t next_ticket_ = 1;
};

}  // namespace

TEST_CASE("a tenant that floods does not hold up another's single run") {
    Turns turns;
    FairShare& flood = turns.function("flood");
    FairShare& quiet = turns.function("quiet");
    for (int count = 0; count < 1'000; ++count) turns.wait(flood);
    for (int count = 0; count < 100; ++count) CHECK(turns.start()->share == &flood);
    const Item& single = turns.wait(quiet);
    CHECK(turns.start() == &single);
    CHECK(turns.start()->share == &flood);
}

TEST_CASE("a tenant gains nothing by many functions, nor by coming back again and again") {
    Turns turns;
    std::vector<FairShare*> many;
    for (int count = 0; count < 5; ++count) many.push_back(&turns.function("many"));
    FairShare& one = turns.function("one");
    for (int count = 0; count < 100; ++count)
        for (FairShare* share : many) turns.wait(*share);
    int of_one = 0;
    turns.wait(one);
    for (int turn = 0; turn < 100; ++turn) {
        if (turns.start()->share != &one) continue;
        ++of_one;
        turns.wait(one);
    }
    CHECK(of_one == 50);
}

TEST_CASE("functions of a tenant take turns, and so do keys of a function") {
    Turns turns;
    FairShare& first = turns.function("t", 1'000, 0);
    FairShare& second = turns.function("t");
    for (int count = 0; count < 40; ++count) turns.wait(first, 3, "a");
    for (int count = 0; count < 40; ++count) turns.wait(first, 3, "b");
    for (int count = 0; count < 40; ++count) turns.wait(second);
    std::map<std::string, int> by_key;
    int of_second = 0;
    for (int turn = 0; turn < 40; ++turn) {
        const Item* item = turns.start();
        if (item->share == &second) ++of_second;
        ++by_key[item->key];
    }
    CHECK(of_second == 20);
    CHECK(by_key["a"] == 10);
    CHECK(by_key["b"] == 10);
}

TEST_CASE("large runs take as many turns as they occupy slots") {
    Turns turns;
    FairShare& large = turns.function("large");
    FairShare& small = turns.function("small");
    for (int count = 0; count < 100; ++count) turns.wait(large, 3, {}, Demand{2048, 1000});
    for (int count = 0; count < 100; ++count) turns.wait(small);
    int of_large = 0;
    for (int turn = 0; turn < 50; ++turn)
        if (turns.start()->share == &large) ++of_large;
    CHECK(of_large == 10);
}

TEST_CASE("a more urgent priority goes first, whoever was there before") {
    Turns turns;
    FairShare& share = turns.function("t");
    const Item& usual = turns.wait(share, 3);
    const Item& lazy = turns.wait(share, 7);
    const Item& urgent = turns.wait(share, 0);
    CHECK(turns.start() == &urgent);
    CHECK(turns.start() == &usual);
    CHECK(turns.start() == &lazy);
}

TEST_CASE("a key at its limit lets the others pass until one of its runs ends") {
    Turns turns;
    FairShare& share = turns.function("t");
    const Item& first = turns.wait(share, 3, "k");
    const Item& second = turns.wait(share, 0, "k");
    const Item& other = turns.wait(share, 7, "other");
    CHECK(turns.start() == &second);
    CHECK(turns.start() == &other);
    CHECK(turns.start() == nullptr);
    CHECK(share.lines.key_is_full("k"));
    turns.end(second);
    CHECK(turns.start() == &first);
}

TEST_CASE("who no host has room for lets the others pass, and is back when one has") {
    Turns turns;
    const Demand huge{64'000, 1000};
    FairShare& large = turns.function("a");
    FairShare& small = turns.function("b");
    const Item& waits = turns.wait(large, 3, {}, huge);
    const Item& goes = turns.wait(small);
    turns.queue.close(huge);
    CHECK(turns.queue.is_closed(huge));
    CHECK(turns.start() == &goes);
    CHECK(turns.start() == nullptr);
    turns.queue.open([](const Demand& demand) { return demand.memory_mb < 1'000; });
    CHECK(turns.start() == nullptr);
    turns.queue.open([](const Demand&) { return true; });
    CHECK(turns.start() == &waits);
}

TEST_CASE("the limit of a tenant can be raised while it is reached") {
    Turns turns;
    turns.queue.set_tenant_max(1);
    FairShare& share = turns.function("t");
    const Item& first = turns.wait(share);
    const Item& second = turns.wait(share);
    CHECK(turns.start() == &first);
    CHECK(turns.start() == nullptr);
    CHECK(turns.queue.tenant_is_full(share));
    turns.queue.set_tenant_max(2);
    CHECK(turns.start() == &second);
}

TEST_CASE("the place in line counts the more urgent, the own line, and the turns of others") {
    Turns turns;
    FairShare& share = turns.function("t", 1'000, 0);
    turns.wait(share, 0);
    for (int count = 0; count < 3; ++count) turns.wait(share, 3);
    for (int count = 0; count < 10; ++count) turns.wait(share, 3, "k");
    const Item& last = turns.wait(share, 3);
    const auto place = share.lines.place_of(last.ticket, 3, {});
    CHECK(place.in_line == 4);
    CHECK(place.in_all == 1 + 4 + 4);
}

namespace {

// Random histories of a queue, and a list that says the same slowly.
class Model {
public:
    explicit Model(std::uint64_t seed) : random_(seed) {
        for (int tenant = 0; tenant < 3; ++tenant)
            for (int function = 0; function < 3; ++function)
                shares_.push_back(&turns_.function("t" + std::to_string(tenant), 3, 2));
        turns_.queue.set_tenant_max(6);
    }

    void step() {
        switch (random_.below(10)) {
        case 0:
        case 1:
        case 2: wait(); break;
        case 3: cancel(); break;
        case 4:
        case 5: end(); break;
        case 6: change_limits(); break;
        case 7: hosts(); break;
        default: start(); break;
        }
        turns_.queue.check_invariants();
    }

private:
    void wait() {
        const std::size_t index = random_.below(shares_.size());
        const std::string key = random_.chance(0.5) ? "k" + std::to_string(random_.below(3)) : "";
        // A demand per function: who is at its head is a matter of turns.
        const Demand demand{512u * static_cast<std::uint32_t>(1 + index % 3), 1000};
        const auto priority = static_cast<std::uint8_t>(random_.below(3));
        waiting_.push_back(&turns_.wait(*shares_[index], priority, key, demand));
    }
    void cancel() {
        if (waiting_.empty()) return;
        const auto place = waiting_.begin() + static_cast<long>(random_.below(waiting_.size()));
        turns_.queue.erase(*(*place)->share, **place);
        waiting_.erase(place);
    }
    void end() {
        if (running_.empty()) return;
        const auto place = running_.begin() + static_cast<long>(random_.below(running_.size()));
        turns_.end(**place);
        running_.erase(place);
    }
    void change_limits() {
        FairShare& share = *shares_[random_.below(shares_.size())];
        turns_.queue.set_limits(share, static_cast<std::uint32_t>(random_.below(4)),
                                static_cast<std::uint32_t>(random_.below(3)), random_.chance(0.2));
        if (random_.chance(0.2))
            turns_.queue.set_tenant_max(static_cast<std::uint32_t>(random_.below(8)));
    }
    void hosts() {
        const Demand demand{512u * static_cast<std::uint32_t>(1 + random_.below(3)), 1000};
        if (random_.chance(0.4))
            turns_.queue.close(demand);
        else
            turns_.queue.open([&](const Demand& known) { return known == demand; });
    }

    [[nodiscard]] bool may_go(const Item& item) const {
        const FairShare& share = *item.share;
        return !share.is_paused && share.running < share.running_max &&
               !turns_.queue.tenant_is_full(share) && !share.lines.key_is_full(item.key) &&
               !turns_.queue.is_closed(item.demand);
    }
    void start() {
        const Item* chosen = turns_.start_if([&](const Item& item) {
            REQUIRE(may_go(item));
            for (const Item* other : waiting_) {
                if (other->share != item.share || !may_go(*other)) continue;
                REQUIRE(other->priority >= item.priority);
                const bool same = other->priority == item.priority && other->key == item.key;
                REQUIRE((!same || other->ticket >= item.ticket));
            }
        });
        if (!chosen) {
            for (const Item* item : waiting_) REQUIRE_FALSE(may_go(*item));
            return;
        }
        std::erase(waiting_, chosen);
        running_.push_back(chosen);
    }

    SeededRandom random_;
    struct Watched : Turns {
        template <class Look>
        Item* start_if(Look look) {
            if (const FairQueue::Next next = queue.next(); next.waiter)
                look(static_cast<const Item&>(*next.waiter));
            return start();
        }
    } turns_;
    std::vector<FairShare*> shares_;
    std::vector<Item*> waiting_;
    std::vector<const Item*> running_;
};

}  // namespace

TEST_CASE("who is chosen may go, and if nobody is chosen, nobody may") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Model model{seed};
        for (int step = 0; step < 2'000; ++step) model.step();
    }
}

TEST_CASE("nobody who may go waits for longer than everybody's turns") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        SeededRandom random{seed};
        Turns turns;
        std::vector<FairShare*> shares;
        for (int tenant = 0; tenant < 4; ++tenant)
            for (int function = 0; function < 3; ++function)
                shares.push_back(&turns.function("t" + std::to_string(tenant), 1'000'000, 0));
        std::map<const FairShare*, int> since;
        for (FairShare* share : shares) turns.wait(*share);
        for (int step = 0; step < 3'000; ++step) {
            // Everybody always has somebody waiting, some with many keys, all of one size each.
            const Item* item = turns.start();
            REQUIRE(item != nullptr);
            FairShare& share = *item->share;
            for (FairShare* other : shares) ++since[other];
            since[&share] = 0;
            const std::string key = "k" + std::to_string(random.below(5));
            turns.wait(share, 3, key);
            for (FairShare* other : shares) REQUIRE(since[other] <= 2 * 12);
            turns.end(*item);
        }
    }
}

}  // namespace longhaul::gateway::test
