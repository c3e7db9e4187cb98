// Questions about what may run under leases.
#include "host_agent/driver/status_query.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/flows.hpp"

namespace longhaul::host_agent {
namespace {

// A question about runs that were sent under the leases of `count` instances.
struct Asking : Flows {
    explicit Asking(int count) {
        for (int number = 0; number < count; ++number) {
            query.instances.push_back(leased_instance("earlier-" + std::to_string(number)));
            query.keys.push_back(wire_key(key("sent-" + std::to_string(number))));
        }
    }
    wire::StatusAnswer ask() {
        const auto silent = test::run_task(io, clock, leases.hear_of(query));
        auto answer = test::run_task(io, clock, answer_status(ledger, host, query, silent));
        REQUIRE(answer);
        return std::move(*answer);
    }
    void silence(std::size_t index) { agent.silent.insert(address_of(query.instances[index])); }

    wire::StatusQuery query;
};

TEST_CASE("a silent runtime agent leaves only its own attempt open in the answer") {
    Asking host(40);
    host.silence(0);
    host.silence(17);
    const TimePoint began = host.clock.now();
    const wire::StatusAnswer answer = host.ask();
    CHECK(answer.complete);
    CHECK(answer.unheard == std::vector{host.query.keys[0], host.query.keys[17]});
    CHECK(answer.unknown.size() == 38);
    CHECK(host.agent.open_max == 8);  // side by side, and no more
    CHECK(host.clock.now() - began <= std::chrono::seconds(2));
}

TEST_CASE("an answer comes in time although every runtime agent is silent") {
    Asking host(100);
    host.agent.is_silent = true;
    const TimePoint began = host.clock.now();
    const wire::StatusAnswer answer = host.ask();
    CHECK(answer.unheard == host.query.keys);
    CHECK(answer.unknown.empty());
    CHECK(host.agent.asked == 8);  // nobody is left to ask when these have not answered
    CHECK(host.clock.now() - began <= std::chrono::seconds(2));
}

TEST_CASE("a runtime agent that several keys name is heard once, one without a lease never") {
    Asking host(1);
    host.query.keys.push_back(wire_key(Flows::key("another")));
    host.query.instances.push_back(host.query.instances[0]);
    host.query.keys.push_back(wire_key(Flows::key("elsewhere")));
    host.query.instances.push_back(host.idle_instance("idle"));
    CHECK(host.ask().unknown.size() == 3);
    CHECK(host.agent.asked == 1);
}

}  // namespace
}  // namespace longhaul::host_agent
