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
    table.assign(kNow, HostId{host}, host + ":7090", InvocationId{id}, 1, 400);
}

}  // namespace

TEST_CASE("a table without hosts has no place") {
    HostTable table{HostTimes{}};
    CHECK(table.choose(kNow, kTenant, small()) == nullptr);
    CHECK_FALSE(table.next_deadline());
}

TEST_CASE("a host is full when its instances or its memory are used up") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    REQUIRE(table.choose(kNow, kTenant, small()) != nullptr);
    assign(table, "h1", "a");
    assign(table, "h1", "b");
    CHECK(table.choose(kNow, kTenant, small()) == nullptr);
    table.release(HostId{"h1"}, InvocationId{"a"}, 1, 400);
    CHECK(table.choose(kNow, kTenant, small()) != nullptr);
    FunctionSpec large = small();
    large.memory_mb = 700;
    CHECK(table.choose(kNow, kTenant, large) == nullptr);
}

TEST_CASE("a host with the function loaded is chosen before one with more memory") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    HostNews warm = news("h2");
    warm.memory_mb = 500;
    warm.loaded = {{kTenant, FunctionName{"f"}}};
    table.announce(kNow, warm);
    CHECK(table.choose(kNow, kTenant, small())->news.host.text == "h2");
    CHECK(table.choose(kNow, TenantName{"other"}, small())->news.host.text == "h1");
}

TEST_CASE("no work goes to a host that is draining, suspect or refused for capacity just now") {
    HostTable table{HostTimes{}};
    HostNews draining = news("h1");
    draining.draining = true;
    table.announce(kNow, draining);
    CHECK(table.choose(kNow, kTenant, small()) == nullptr);
    table.announce(kNow, news("h1"));
    table.mark_full(kNow, HostId{"h1"});
    CHECK(table.choose(kNow, kTenant, small()) == nullptr);
    CHECK(table.choose(kNow + milliseconds(201), kTenant, small()) != nullptr);
    CHECK(table.tick(kNow + milliseconds(201)).room);
    const auto due = table.tick(kNow + seconds(10));
    CHECK(due.suspect == std::vector{HostId{"h1"}});
    CHECK(table.choose(kNow + seconds(10), kTenant, small()) == nullptr);
}

TEST_CASE("silence is noticed once, and only attempts make a host gone") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    CHECK(table.next_deadline() == kNow + seconds(10));
    CHECK(table.tick(kNow + seconds(10)).suspect.size() == 1);
    CHECK(table.tick(kNow + seconds(11)).suspect.empty());
    CHECK(table.tick(kNow + minutes(6)).gone.empty());
    assign(table, "h1", "a");
    CHECK(table.tick(kNow + minutes(4)).gone.empty());
    CHECK(table.tick(kNow + minutes(5)).gone == std::vector{HostId{"h1"}});
}

TEST_CASE("a host that is known from records alone is silent since then") {
    HostTable table{HostTimes{}};
    assign(table, "h1", "a");
    CHECK(table.choose(kNow, kTenant, small()) == nullptr);
    CHECK(table.tick(kNow + seconds(10)).suspect.size() == 1);
    CHECK(table.tick(kNow + minutes(5) - seconds(1)).gone.empty());
    CHECK(table.tick(kNow + minutes(5)).gone.size() == 1);
}

TEST_CASE("a question is due when a host with our attempts is new, new born, back, or was missed") {
    HostTable table{HostTimes{}};
    CHECK_FALSE(table.announce(kNow, news("h1")));  // nothing of ours is there
    assign(table, "h1", "a");
    CHECK_FALSE(table.announce(kNow, news("h1")));
    CHECK(table.announce(kNow, news("h1", 1, 5)));  // five changes were missed
    CHECK_FALSE(table.announce(kNow, news("h1", 1, 5)));
    CHECK(table.announce(kNow, news("h1", 2)));  // born again
    static_cast<void>(table.tick(kNow + seconds(20)));
    CHECK(table.announce(kNow + seconds(20), news("h1", 2)));             // back
    CHECK_FALSE(table.announce(kNow + seconds(20), news("h1", 1, 100)));  // an older epoch
    CHECK(table.find(HostId{"h1"})->news.epoch == 2);
}

TEST_CASE("a gap in the status stream is noticed, a repetition is not one") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1", 1, 4));
    assign(table, "h1", "a");
    CHECK_FALSE(table.advance(kNow, HostId{"h1"}, 1, 4, 6));
    CHECK_FALSE(table.advance(kNow, HostId{"h1"}, 1, 4, 6));
    CHECK(table.advance(kNow, HostId{"h1"}, 1, 7, 8));
    CHECK(table.advance(kNow, HostId{"h1"}, 1, 0, 9));  // before it: unknown
    CHECK(table.advance(kNow, HostId{"h1"}, 2, 1, 2));  // another epoch
    CHECK_FALSE(table.advance(kNow, HostId{"h2"}, 1, 0, 2));
}

TEST_CASE("a question that was put off comes up once") {
    HostTable table{HostTimes{}};
    table.announce(kNow, news("h1"));
    table.ask_at(HostId{"h1"}, kNow + seconds(1));
    table.ask_at(HostId{"h1"}, kNow + seconds(2));  // the earlier one stands
    CHECK(table.next_deadline() == kNow + seconds(1));
    CHECK(table.tick(kNow + seconds(1)).ask == std::vector{HostId{"h1"}});
    CHECK(table.tick(kNow + seconds(3)).ask.empty());
}

}  // namespace longhaul::gateway
