// What is known, whole and packed.
#include "gateway/core/entry_table.hpp"
#include "gateway/ledger/record_codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <map>
#include <memory>
#include <string>

using namespace longhaul;
using namespace longhaul::gateway;
using longhaul::test::SeededRandom;

namespace {

constexpr TimePoint kNow{std::chrono::seconds(1'800'000'000)};

std::shared_ptr<const FunctionSpec> function(const std::string& name) {
    FunctionSpec spec;
    spec.name = FunctionName{name};
    spec.version = Digest{"sha256:" + std::string(64, 'c')};
    return std::make_shared<const FunctionSpec>(spec);
}

Invocation plain(const std::string& id) {
    static const auto kFunction = function("f");
    Invocation made;
    made.id = InvocationId{id};
    made.tenant = TenantName{"acme"};
    made.function = kFunction;
    made.body.content_type = "application/json";
    made.body.inline_bytes = "{\"order\": 1}";
    made.body.size = made.body.inline_bytes.size();
    made.body.sha256 = std::string(64, 'a');
    made.options.fingerprint = std::string(64, 'b');
    made.created_at = kNow;
    made.queue_ttl_at = kNow + std::chrono::hours(24);
    made.deadline = kNow + std::chrono::hours(25);
    return made;
}

std::string any_text(SeededRandom& random, std::size_t size_max) {
    std::string text(random.below(size_max + 1), '\0');
    for (char& c : text) c = static_cast<char>(random.below(256));
    return text;
}

template <class T>
void perhaps(SeededRandom& random, T& value, T other) {
    if (random.chance(0.5)) value = std::move(other);
}

TimePoint any_time(SeededRandom& random) {
    return kNow + Duration{static_cast<Duration::rep>(random.below(1'000'000'000'000))};
}

using Texts = std::vector<std::pair<std::string, std::string>>;

// Each thing that one which waits can have, there or not.
Invocation any(SeededRandom& random, const std::string& id) {
    Invocation made = plain(id);
    perhaps(random, made.tenant, TenantName{"other"});
    perhaps(random, made.function, function("g"));
    perhaps(random, made.body.content_type, any_text(random, 40));
    perhaps(random, made.body.inline_bytes, any_text(random, 300));
    perhaps(random, made.body.file, std::string("0123"));
    perhaps(random, made.body.size, random.below(1u << 30));
    perhaps(random, made.body.sha256, any_text(random, 64));
    perhaps(random, made.created_at, any_time(random));
    perhaps(random, made.queue_ttl_at, any_time(random));
    perhaps(random, made.deadline, any_time(random));
    perhaps(random, made.deadline_is_explicit, true);
    perhaps(random, made.retry_of, std::optional(InvocationId{"an-older-one"}));
    perhaps(random, made.state, State::scheduled);
    perhaps(random, made.revision, static_cast<std::uint32_t>(random.below(1u << 20)));
    perhaps(random, made.due_at, std::optional(any_time(random)));
    perhaps(random, made.status_version, random.below(1ull << 40));
    SubmitOptions& options = made.options;
    perhaps(random, options.timeout, std::optional(Duration{std::chrono::seconds(7)}));
    perhaps(random, options.queue_ttl, std::optional(Duration{std::chrono::seconds(8)}));
    perhaps(random, options.deadline, std::optional(any_time(random)));
    perhaps(random, options.labels, Texts{{"a", any_text(random, 200)}, {"", "b"}});
    perhaps(random, options.traceparent, any_text(random, 60));
    perhaps(random, options.headers, Texts{{"x", any_text(random, 20)}});
    perhaps(random, options.idempotency_key, any_text(random, 60));
    perhaps(random, options.concurrency_key, any_text(random, 60));
    options.priority = static_cast<std::uint8_t>(random.below(kPriorityLast + 1));
    perhaps(random, options.not_before, std::optional(any_time(random)));
    perhaps(random, options.retry_max_attempts, std::optional(std::uint32_t{3}));
    perhaps(random, options.retry_backoff, std::optional(Duration{std::chrono::seconds(9)}));
    perhaps(random, options.fingerprint, any_text(random, 64));
    return made;
}

// All that a record says of it, and what is relearned.
std::string all_of(const Invocation& invocation) {
    return encode_invocation(invocation) + std::to_string(invocation.status_version);
}

}  // namespace

TEST_CASE("what is packed comes back as it was, whatever was set") {
    SeededRandom random{7};
    InvocationPacker packer;
    for (int count = 0; count < 2'000; ++count) {
        const Invocation before = any(random, "i" + std::to_string(count));
        REQUIRE(InvocationPacker::can_pack(before));
        const CompactId id(before.id);
        PackedInvocation packed = packer.pack(before);
        CHECK(InvocationPacker::state(packed) == before.state);
        CHECK(InvocationPacker::in_line_since(packed) == before.in_line_since());
        REQUIRE(all_of(packer.read(id, packed)) == all_of(before));
        REQUIRE(packer.unpack(id, std::move(packed)).function == before.function);
    }
    CHECK(packer.kind_count() == 0);
}

TEST_CASE("what was tried, runs or has ended is not packed") {
    const Invocation waits = plain("w");
    const auto is_kept_whole = [&waits](auto change) {
        Invocation other = waits;
        change(other);
        return !InvocationPacker::can_pack(other);
    };
    CHECK(InvocationPacker::can_pack(waits));
    CHECK(is_kept_whole([](Invocation& one) { one.state = State::retrying; }));
    CHECK(is_kept_whole([](Invocation& one) { one.state = State::running; }));
    CHECK(is_kept_whole([](Invocation& one) { one.state = State::expired; }));
    CHECK(is_kept_whole([](Invocation& one) { one.attempts.emplace_back(); }));
    CHECK(is_kept_whole([](Invocation& one) { one.route_tries = 1; }));
    CHECK(is_kept_whole([](Invocation& one) { one.started_at = kNow; }));
    CHECK(is_kept_whole([](Invocation& one) { one.ended_at = kNow; }));
    CHECK(is_kept_whole([](Invocation& one) { one.stop.by = "api"; }));
    CHECK(is_kept_whole([](Invocation& one) { one.result.emplace(); }));
    CHECK(is_kept_whole([](Invocation& one) { one.failure.emplace(); }));
    CHECK(is_kept_whole([](Invocation& one) { one.progress.emplace(); }));
    CHECK(is_kept_whole([](Invocation& one) { one.phase = Phase::acquiring_route; }));
    CHECK(is_kept_whole([](Invocation& one) { one.suspect = true; }));
}

TEST_CASE("what is common is kept once, for as long as anybody has it") {
    InvocationPacker packer;
    const CompactId id(InvocationId{"i"});
    PackedInvocation first = packer.pack(plain("i"));
    PackedInvocation second = packer.pack(plain("i"));
    CHECK(packer.kind_count() == 1);
    Invocation other = plain("i");
    other.body.content_type = "text/plain";
    PackedInvocation third = packer.pack(other);
    CHECK(packer.kind_count() == 2);
    static_cast<void>(packer.unpack(id, std::move(third)));
    static_cast<void>(packer.unpack(id, std::move(first)));
    CHECK(packer.kind_count() == 1);
    static_cast<void>(packer.unpack(id, std::move(second)));
    CHECK(packer.kind_count() == 0);
}

TEST_CASE("a table finds what was added and not erased, whole or packed") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SeededRandom random{seed};
        EntryTable table;
        std::map<std::string, std::string> model;
        for (int step = 0; step < 2'000; ++step) {
            std::string id = "i" + std::to_string(random.below(300));
            if (random.chance(0.5)) id = make_invocation_id(kNow, 0, random.below(300)).text;
            Seat* seat = table.find(InvocationId{id});
            REQUIRE((seat != nullptr) == model.contains(id));
            if (!seat) {
                const Invocation made = any(random, id);
                model[id] = all_of(made);
                table.add(made);
            } else if (random.chance(0.3)) {
                REQUIRE(all_of(table.whole(*seat).invocation) == model[id]);
                table.erase(*seat);
                model.erase(id);
            } else {
                REQUIRE(seat->id.whole().text == id);
                REQUIRE(all_of(table.read(*seat)) == model[id]);
            }
            if (random.chance(0.2)) table.pack();
        }
        std::size_t seen = 0;
        table.for_each([&](const Seat& seat) {
            ++seen;
            REQUIRE(all_of(table.read(seat)) == model.at(seat.id.whole().text));
        });
        CHECK(seen == model.size());
        CHECK(table.size() == model.size());
    }
}

TEST_CASE("who waits is packed at the end of a step, who has been tried stays whole") {
    EntryTable table;
    table.add(plain("waits"));
    table.add(plain("runs")).invocation.state = State::running;
    table.pack();
    Seat& waits = *table.find(InvocationId{"waits"});
    CHECK(waits.whole == nullptr);
    CHECK(table.find(InvocationId{"runs"})->whole != nullptr);
    CHECK(EntryTable::state(waits) == State::queued);
    CHECK(EntryTable::in_line_since(waits) == kNow);
    table.whole(waits).invocation.state = State::dispatching;
    table.pack();
    CHECK(waits.whole != nullptr);
    CHECK(EntryTable::state(waits) == State::dispatching);
}
