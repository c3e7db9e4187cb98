#include "gateway/core/host_table.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const TenantName kTenant{"acme"};
constexpr TimePoint kNow{seconds(1'000'000)};

HostNews news(const std::string& name, Epoch epoch = 1, std::uint64_t last_seq = 0) {
    HostNews result;
    result.host = HostId{name};
    result.epoch = epoch;
    result.last_seq = last_seq;
    result.address = name + ":7090";
    result.memory_mb = 1000;
    result.instances_max = 2;
    return result;
}

FunctionSpec small() {
    FunctionSpec spec;
    spec.name = FunctionName{"f"};
    spec.memory_mb = 400;
    return spec;
}

void assign(HostTable& table, const std::string& host, const std::string& id) {
    table.assign(kNow, HostId{host}, host + ":7090", InvocationId{id}, 1, small());
}

void release(HostTable& table, const std::string& host, const std::string& id) {
    table.release(HostId{host}, InvocationId{id}, 1, small());
}

std::string chosen(const HostTable& table, const FunctionSpec& function = small(),
                   const Avoided& avoided = {}, const TenantName& tenant = kTenant) {
    table.check_invariants();
    const Host* host = table.choose(kNow, tenant, function, avoided);
    return host ? host->news.host.text : "none";
}

// Takes five runs at once in an instance of 500 MB.
FunctionSpec shared() {
    FunctionSpec spec = small();
    spec.memory_mb = 500;
    spec.concurrency = 5;
    return spec;
}

HostAnswer answer(Question asked, std::uint64_t last_seq) {
    HostAnswer result;
    result.host = HostId{"h1"};
    result.epoch = 1;
    result.complete = true;
    result.asked = asked;
    result.last_seq = last_seq;
    return result;
}

AttemptReport named(const std::string& id) {
    AttemptReport report;
    report.id = InvocationId{id};
    report.attempt = 1;
    return report;
}

AttemptName name(const std::string& id) { return {InvocationId{id}, 1}; }

// One host, of which everything up to `seq` is known.
struct Known {
    explicit Known(std::uint64_t seq) {
        table.announce(kNow, news("h1", 1, seq));
        table.answered(kNow, answer(Question::snapshot, seq), false, kNow);
    }
    Question asked() const {
        table.check_invariants();
        const auto question = table.question(HostId{"h1"});
        return question ? question->kind : Question::none;
    }
    std::uint64_t known() const { return table.find(HostId{"h1"})->known_seq; }

    HostTable table{HostTimes{}};
};

}  // namespace

TEST_CASE("a table without hosts has no place") {
    HostTable table{HostTimes{}};
    CHECK(chosen(table) == "none");
    CHECK_FALSE(table.next_deadline());
}

TEST_CASE("a host is full when its instances, its memory or its processors are used up") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    REQUIRE(chosen(table) == "h1");
    assign(table, "h1", "a");
    assign(table, "h1", "b");
    CHECK(chosen(table) == "none");
    release(table, "h1", "a");
    CHECK(chosen(table) == "h1");
    FunctionSpec large = small();
    large.memory_mb = 700;
    CHECK(chosen(table, large) == "none");
    HostNews limited = news("h1");
    limited.cpu_millis = 1500;
    CHECK_FALSE(table.announce(kNow, limited).room);
    CHECK(chosen(table) == "none");  // each takes 1000
    limited.cpu_millis = 2000;
    CHECK(table.announce(kNow, limited).room);
    CHECK(chosen(table) == "h1");
}

TEST_CASE("runs of a shared instance count as their share of one") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    const auto place = [&](const std::string& id) {
        table.assign(kNow, HostId{"h1"}, "h1:7090", InvocationId{id}, 1, shared());
    };
    for (int i = 0; i < 10; ++i) {
        REQUIRE(chosen(table, shared()) == "h1");
        place(std::to_string(i));
    }
    CHECK(chosen(table, shared()) == "none");
    CHECK(table.find(HostId{"h1"})->assigned_mb == 1000);
    (void)table.take_roomier();
    table.release(HostId{"h1"}, InvocationId{"3"}, 1, shared());
    CHECK(table.take_roomier().size() == 1);
    CHECK(chosen(table, shared()) == "h1");
    CHECK(chosen(table) == "none");  // wants 400 MB
}

TEST_CASE("an idle loaded instance comes before cached code, and that before room") {
    HostTable table{HostTimes{}};
    FunctionSpec packed = small();
    packed.package = Digest{"sha256:p"};
    table.announce(kNow, news("h1"));
    HostNews cached = news("h2");
    cached.packages = {packed.package};
    table.announce(kNow, cached);
    CHECK(chosen(table, packed) == "h2");
    HostNews warm = news("h3");
    warm.memory_mb = 500;
    warm.loaded = {{kTenant, FunctionName{"f"}, packed.package, 1}};
    table.announce(kNow, warm);
    CHECK(chosen(table, packed) == "h3");
    CHECK(chosen(table, packed, {}, TenantName{"other"}) == "h2");
    FunctionSpec newer = packed;
    newer.package = Digest{"sha256:q"};
    CHECK(chosen(table, newer) == "h1");
    table.use_idle(HostId{"h3"}, kTenant, packed);  // what was dispatched since counts
    CHECK(chosen(table, packed) == "h2");
    table.announce(kNow, warm);
    CHECK(chosen(table, packed) == "h3");
    table.announce(kNow, news("h3"));
    table.announce(kNow, news("h2"));
    CHECK(chosen(table, packed) == "h1");
}

TEST_CASE("of equal hosts the least loaded is chosen, of those the first by name") {
    HostTable table{HostTimes{}};
    for (const char* name : {"h2", "h1", "h3"}) {
        HostNews roomy = news(name);
        roomy.instances_max = 10;
        table.announce(kNow, roomy);
    }
    std::vector<std::string> order;
    for (const char* id : {"a", "b", "c", "d"}) {
        order.push_back(chosen(table));
        assign(table, order.back(), id);
    }
    CHECK(order == std::vector<std::string>{"h1", "h2", "h3", "h1"});
}

TEST_CASE("no work goes to a host that is draining, suspect or refused for capacity just now") {
    HostTable table{HostTimes{}};
    HostNews draining = news("h1");
    draining.draining = true;
    table.announce(kNow, draining);
    CHECK(chosen(table) == "none");
    CHECK(table.announce(kNow, news("h1")).room);
    table.mark_full(kNow, HostId{"h1"});
    CHECK(chosen(table) == "none");
    CHECK(table.tick(kNow + milliseconds(201)).room);
    CHECK(chosen(table) == "h1");
    const auto due = table.tick(kNow + seconds(10));
    CHECK(due.suspect == std::vector{HostId{"h1"}});
    CHECK(chosen(table) == "none");
}

TEST_CASE("a host that refused an invocation is avoided for it alone, for a while") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    table.announce(kNow, news("h2"));
    CHECK(chosen(table, small(), {{HostId{"h1"}, kNow + seconds(1)}}) == "h2");
    CHECK(chosen(table, small(), {{HostId{"h1"}, kNow}}) == "h1");
    CHECK(chosen(table) == "h1");
    CHECK(table.pause_after(1) == milliseconds(200));
    CHECK(table.pause_after(3) == milliseconds(800));
    CHECK(table.pause_after(100) == milliseconds(6400));
}

TEST_CASE("a host that is owed a fence gets no work before it was told") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    table.owe_fence(HostId{"h1"}, name("a"), {Token{"t"}});
    table.owe_fence(HostId{"h1"}, name("b"), {Token{"t"}});
    CHECK(chosen(table) == "none");
    CHECK_FALSE(table.fence_told(HostId{"h1"}, name("a")));
    CHECK(chosen(table) == "none");
    CHECK(table.fence_told(HostId{"h1"}, name("b")));
    CHECK(chosen(table) == "h1");
    CHECK_FALSE(table.fence_told(HostId{"h1"}, name("b")));
}

TEST_CASE("silence is noticed once, only attempts make a host gone, at last it is forgotten") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    CHECK(table.next_deadline() == kNow + seconds(10));
    CHECK(table.tick(kNow + seconds(10)).suspect.size() == 1);
    CHECK(table.tick(kNow + seconds(11)).suspect.empty());
    CHECK(table.tick(kNow + minutes(6)).gone.empty());
    assign(table, "h1", "a");
    CHECK(table.tick(kNow + minutes(4)).gone.empty());
    CHECK(table.tick(kNow + minutes(5)).gone == std::vector{HostId{"h1"}});
    CHECK(table.tick(kNow + minutes(61)).gone == std::vector{HostId{"h1"}});
    REQUIRE(table.find(HostId{"h1"}) != nullptr);
    release(table, "h1", "a");
    CHECK(table.next_deadline() == kNow + minutes(60));
    table.forget_silent(kNow + minutes(60));
    CHECK(table.find(HostId{"h1"}) == nullptr);
    CHECK_FALSE(table.next_deadline());
    table.check_invariants();
}

TEST_CASE("a host that is known from records alone is silent since then") {
    HostTable table{HostTimes{}};
    assign(table, "h1", "a");
    CHECK(chosen(table) == "none");
    CHECK(table.tick(kNow + seconds(10)).suspect.size() == 1);
    CHECK(table.tick(kNow + minutes(5) - seconds(1)).gone.empty());
    CHECK(table.tick(kNow + minutes(5)).gone.size() == 1);
}

TEST_CASE("a host that is new, born again or back is asked for everything") {
    HostTable table{HostTimes{}};
    CHECK(table.announce(kNow, news("h1")).asks);
    CHECK(table.question(HostId{"h1"})->kind == Question::snapshot);
    table.answered(kNow, answer(Question::snapshot, 0), false, kNow);
    CHECK_FALSE(table.question(HostId{"h1"}));
    CHECK_FALSE(table.announce(kNow, news("h1")).asks);
    CHECK(table.announce(kNow, news("h1", 2)).asks);
    CHECK(table.question(HostId{"h1"})->epoch == 2);
    static_cast<void>(table.tick(kNow + seconds(20)));
    const auto back = table.announce(kNow + seconds(20), news("h1", 2));
    CHECK(back.asks);
    CHECK(back.returned);
    CHECK_FALSE(table.announce(kNow + seconds(20), news("h1", 1, 100)).accepted);
    CHECK(table.find(HostId{"h1"})->news.epoch == 2);
}

TEST_CASE("a gap in the status stream is asked for from where it began, a repetition is none") {
    Known host{4};
    HostTable& table = host.table;
    CHECK_FALSE(table.advance(kNow, HostId{"h1"}, 1, 4, 6).asks);
    CHECK_FALSE(table.advance(kNow, HostId{"h1"}, 1, 4, 6).asks);
    CHECK(host.asked() == Question::none);
    CHECK(table.advance(kNow, HostId{"h1"}, 1, 7, 8).asks);
    CHECK(host.asked() == Question::delta);
    CHECK(table.question(HostId{"h1"})->since == 6);
    table.answered(kNow, answer(Question::delta, 8), false, kNow);
    CHECK(host.asked() == Question::none);
    CHECK(host.known() == 8);
    CHECK(table.advance(kNow, HostId{"h1"}, 1, std::nullopt, 9).asks);  // unknown
    CHECK(host.asked() == Question::delta);
    CHECK(table.advance(kNow, HostId{"h1"}, 2, 1, 2).asks);  // another epoch
    CHECK(host.asked() == Question::snapshot);
    CHECK_FALSE(table.advance(kNow, HostId{"h2"}, 1, 0, 2).accepted);
}

TEST_CASE("an announcement that overtakes its batch is no gap, one without a batch is") {
    Known host{4};
    CHECK_FALSE(host.table.announce(kNow, news("h1", 1, 5)).asks);
    CHECK_FALSE(host.table.advance(kNow, HostId{"h1"}, 1, 4, 5).asks);
    CHECK(host.table.tick(kNow + seconds(1)).ask.empty());
    CHECK(host.asked() == Question::none);
    CHECK_FALSE(host.table.announce(kNow + seconds(1), news("h1", 1, 6)).asks);
    CHECK(host.asked() == Question::none);
    CHECK(host.table.tick(kNow + seconds(2)).ask.size() == 1);
    CHECK(host.asked() == Question::delta);
}

TEST_CASE("a delta comes in pieces, and what is heard of meanwhile is asked for after it") {
    Known host{0};
    HostTable& table = host.table;
    REQUIRE(table.advance(kNow, HostId{"h1"}, 1, 900, 901).asks);
    HostAnswer piece = answer(Question::delta, 500);
    piece.more = true;
    table.answered(kNow, piece, false, kNow);
    CHECK(table.question(HostId{"h1"})->since == 500);
    static_cast<void>(table.advance(kNow, HostId{"h1"}, 1, 950, 951));
    table.answered(kNow, answer(Question::delta, 901), false, kNow);
    CHECK(host.asked() == Question::none);  // it may be on its way
    static_cast<void>(table.tick(kNow + seconds(1)));
    CHECK(host.asked() == Question::delta);
    CHECK(table.question(HostId{"h1"})->since == 901);
    piece.last_seq = 901;  // a host that does not get on is not asked without end
    table.answered(kNow, piece, false, kNow + seconds(2));
    CHECK(host.asked() == Question::none);
    CHECK(table.next_deadline() == kNow + seconds(2));
}

TEST_CASE("a snapshot comes by pages, and what it lacks is asked for by name") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1", 1, 7));
    for (const char* id : {"a", "b", "c", "d", "e"}) assign(table, "h1", id);
    HostAnswer page = answer(Question::snapshot, 7);
    page.reports = {named("a"), named("b")};
    page.next = name("b");
    table.answered(kNow, page, false, kNow);
    CHECK(table.question(HostId{"h1"})->after == name("b"));
    HostAnswer last = answer(Question::snapshot, 9);
    last.after = name("b");
    last.reports = {named("d")};
    table.answered(kNow, last, false, kNow);
    CHECK(table.find(HostId{"h1"})->known_seq == 7);  // what the first page covers
    REQUIRE(table.question(HostId{"h1"}));
    CHECK(table.question(HostId{"h1"})->kind == Question::named);
    CHECK(table.question(HostId{"h1"})->names == std::vector{name("c"), name("e")});
    table.answered(kNow, answer(Question::named, 9), true, kNow + seconds(1));
    CHECK_FALSE(table.question(HostId{"h1"}));
    CHECK(table.tick(kNow + seconds(1)).ask == std::vector{HostId{"h1"}});
    table.answered(kNow, answer(Question::named, 9), false, kNow);
    CHECK_FALSE(table.question(HostId{"h1"}));
    table.check_invariants();
}

TEST_CASE("what a host could not find out is asked again, later, and the rest is settled") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1", 1, 7));
    for (const char* id : {"a", "b", "c"}) assign(table, "h1", id);
    table.answered(kNow, answer(Question::snapshot, 7), false, kNow);
    HostAnswer partial = answer(Question::named, 7);
    partial.unheard = {name("b"), name("gone")};
    table.answered(kNow, partial, false, kNow + seconds(1));
    CHECK_FALSE(table.question(HostId{"h1"}));
    // Meanwhile another one becomes due: both are asked for then.
    table.expect(HostId{"h1"}, name("c"), kNow + milliseconds(500));
    static_cast<void>(table.tick(kNow + milliseconds(500)));
    table.check_invariants();
    CHECK(table.tick(kNow + seconds(1)).ask == std::vector{HostId{"h1"}});
    REQUIRE(table.question(HostId{"h1"}));
    CHECK(table.question(HostId{"h1"})->names == std::vector{name("b"), name("c")});
    table.answered(kNow, answer(Question::named, 7), false, kNow + seconds(2));
    CHECK_FALSE(table.question(HostId{"h1"}));
    table.check_invariants();
}

TEST_CASE("a snapshot begins anew where the host is born again meanwhile") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    HostAnswer page = answer(Question::snapshot, 0);
    page.next = name("b");
    table.answered(kNow, page, false, kNow);
    CHECK(table.question(HostId{"h1"})->after);
    table.announce(kNow, news("h1", 2));
    CHECK_FALSE(table.question(HostId{"h1"})->after);
    page.after = name("b");
    page.next.reset();
    table.answered(kNow, page, false, kNow);  // of the snapshot before: ends nothing
    CHECK(table.question(HostId{"h1"}));
}

TEST_CASE("a question that is put off comes up once") {
    Known host{0};
    host.table.ask_later(HostId{"h1"}, Question::digest, kNow + seconds(2));
    host.table.ask_later(HostId{"h1"}, Question::digest, kNow + seconds(1));  // the earlier stands
    CHECK(host.table.next_deadline() == kNow + seconds(1));
    CHECK(host.table.tick(kNow + seconds(1)).ask == std::vector{HostId{"h1"}});
    CHECK(host.asked() == Question::digest);
    CHECK(host.table.tick(kNow + seconds(3)).ask.empty());
    host.table.put_off(HostId{"h1"}, kNow + seconds(5));
    CHECK(host.asked() == Question::none);
    CHECK(host.table.tick(kNow + seconds(5)).ask.size() == 1);
}

// Not a measurement: one that is linear where it should not be takes minutes here.
TEST_CASE("a thousand hosts, all of them busy, are chosen from and heard of without a walk") {
    HostTable table{HostTimes{}};
    FunctionSpec packed = small();
    packed.memory_mb = 1;
    packed.package = Digest{"sha256:p"};
    for (int index = 0; index < 1000; ++index) {
        HostNews roomy = news("host-" + std::to_string(index));
        roomy.instances_max = 1000;
        roomy.packages = {packed.package};
        table.announce(kNow, roomy);
    }
    for (int index = 0; index < 20'000; ++index) {
        const Host* host = table.choose(kNow, kTenant, packed);
        REQUIRE(host != nullptr);
        table.assign(kNow, host->news.host, "x", InvocationId{"i" + std::to_string(index)}, 1,
                     packed);
        static_cast<void>(table.next_deadline());
    }
    for (const auto& [id, host] : table.all()) CHECK(host.attempts.size() == 20);
    table.check_invariants();
}

}  // namespace longhaul::gateway
