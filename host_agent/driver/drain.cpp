#include "host_agent/driver/drain.hpp"

#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

Drain::Drain(const port::Clock& clock, Ledger& ledger, KillFlow& kills, StatusFlow& status,
             const HostId& host, Duration grace)
    : clock_(clock), ledger_(ledger), kills_(kills), status_(status), host_(host), grace_(grace) {}

asio::awaitable<Result<void>> Drain::begin(DrainOrder order) {
    Records out;
    ledger_.core().begin_drain(std::move(order), out);
    const Ledger::Ticket ticket = ledger_.stage(std::move(out));
    carry_out();
    co_return co_await ledger_.durable(ticket);
}

asio::awaitable<Result<void>> Drain::end() {
    Records out;
    ledger_.core().end_drain(out);
    const Ledger::Ticket ticket = ledger_.stage(std::move(out));
    ledger_.changed().notify_all();
    co_return co_await ledger_.durable(ticket);
}

void Drain::leave(Duration limit) {
    const TimePoint now = clock_.now();
    ledger_.core().leave({now + limit, "its host agent is stopping", now});
    carry_out();
}

void Drain::carry_out() {
    status_.retire();
    tick();
    ledger_.changed().notify_all();
}

void Drain::tick() {
    const std::vector<RunKey> due = ledger_.core().drain_due(clock_.now());
    if (due.empty()) return;
    const DrainOrder& order = *ledger_.core().drain();
    std::string evidence = "stopped by the drain of host " + host_.text + ", whose limit was " +
                           format_rfc3339(*order.by);
    if (!order.reason.empty()) evidence += ": " + order.reason;
    kills_.stop_for_host(due, grace_, evidence);
}

}  // namespace longhaul::host_agent
