#include "tests/sim/host_life.hpp"

#include "host_agent/routes/table.hpp"
#include "longhaul/wire/problem_json.hpp"
#include "tests/sim/wires.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace longhaul::sim {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kAnswerMax = 8u << 20;  // bytes

Error is_dead() { return make_error(Errc::unavailable, "the process has died"); }

Logger logger_for(const HostSite& site) {
    return site.notebook.traces()
               ? Logger::to_stderr(LogLevel::info, LogFormat::text).named(site.name)
               : Logger();
}

// As net::Server, without its sockets and limits.
asio::awaitable<Result<port::PeerResponse>> serve(const net::Router& routes, TimePoint now,
                                                  port::PeerRequest request) {
    net::Request asked;
    asked.method = request.method;
    asked.path = request.target;
    asked.headers = std::move(request.headers);
    asked.content_length = request.body.size();
    asked.received_at = now;
    const auto body = test::make_source(std::move(request.body));
    asked.body = body.get();
    net::Router::Match match = routes.find(asked.method, asked.path);
    if (match.route == nullptr) {
        const Error missing = make_error(Errc::not_found, "no route " + asked.path);
        co_return test::make_response(404, wire::problem(missing).dump());
    }
    asked.params = std::move(match.params);
    net::Response response = co_await match.route->handler(asked);
    std::string bytes = std::move(response.body);
    if (response.stream) {
        auto streamed = co_await port::read_all(*response.stream, kAnswerMax);
        if (!streamed) co_return streamed.error();
        bytes = std::move(*streamed);
    }
    co_return test::make_response(response.status, std::move(bytes), std::move(response.headers));
}

}  // namespace

asio::awaitable<Result<port::PeerResponse>> HostPeer::call(std::string address,
                                                           port::PeerRequest request,
                                                           Duration limit) {
    if (!life_.holds()) co_return is_dead();
    const TimePoint until = site_.clock.now() + limit;
    const bool is_far = address == site_.config.status_service;
    Result<port::PeerResponse> answer = make_error(Errc::timed_out, "nobody answered in time");
    if (!is_far || !site_.is_cut)
        answer = co_await call_apart(site_.wires, site_.peer, std::move(address),
                                     std::move(request), limit);
    if (is_far && site_.is_cut) {
        co_await site_.clock.wait_until(until);
        answer = make_error(Errc::timed_out, "nobody answered in time");
    }
    if (!life_.holds()) co_return is_dead();
    co_return answer;
}

HostLife::HostLife(HostSite& site, std::function<void()> on_death)
    : site_(site),
      peer_(site, life_),
      disk_(site.disk, life_),
      workers_(site.executor, site.clock, site.random, site.pace, life_),
      processes_(site.machine, life_),
      host_(std::in_place, site.executor,
            host_agent::Ports{site.clock, site.random, disk_, workers_, peer_, blobs_}, processes_,
            site.config, logger_for(site)),
      internal_(host_agent::internal_routes(host_->handles())),
      agents_(host_agent::agent_routes(host_->handles())),
      tasks_(site.executor, logger_for(site)) {
    life_.on_death(on_death);
    host_->on_storage_failure([this, on_death](const Error& error) {
        if (!life_.is_cut()) site_.notebook.saw("storage failures of hosts");
        site_.notebook.trace("host " + site_.name + ": its journal failed: " + error.message);
        on_death();
    });
}

HostLife::~HostLife() = default;

asio::awaitable<Result<void>> HostLife::start() {
    auto opened = co_await host_->open();
    if (!opened) co_return opened;
    if (life_.is_cut()) co_return is_dead();
    site_.peer.serve(
        site_.name, [this](port::PeerRequest request) { return gateway_asks(std::move(request)); });
    site_.peer.serve(site_.agents.host_socket, [this](port::PeerRequest request) {
        return ask(agents_, std::move(request));
    });
    host_->begin(site_.name);
    site_.agents.host_is_up = true;
    site_.machine.reconnect();
    look();
    co_return Result<void>{};
}

void HostLife::cut() {
    life_.cut();
    site_.agents.host_is_up = false;
    site_.peer.remove(site_.name);
    site_.peer.remove(site_.agents.host_socket);
}

asio::awaitable<void> HostLife::crash() {
    workers_.close();
    tasks_.cancel();
    const auto answers = [this] {
        return site_.peer.running(site_.name) + site_.peer.running(site_.agents.host_socket);
    };
    while (answers() > 0) co_await asio::post(site_.executor, asio::use_awaitable);
    co_await tasks_.join();
    co_await host_->stop_work();
    co_await host_->stop();
    host_.reset();
}

asio::awaitable<HostLife::Response> HostLife::ask(const net::Router& routes,
                                                  port::PeerRequest request) {
    if (!life_.holds()) co_return is_dead();
    auto answer = co_await serve(routes, site_.clock.now(), std::move(request));
    if (!life_.holds()) co_return is_dead();
    look();
    co_return answer;
}

asio::awaitable<HostLife::Response> HostLife::gateway_asks(port::PeerRequest request) {
    if (site_.clock.now() < site_.deaf_until)
        co_return make_error(Errc::unreachable, "nobody listens");
    const bool is_result = request.method == "GET";
    auto answer = co_await ask(internal_, std::move(request));
    if (!is_result || !answer || answer->status != 200) co_return answer;
    site_.notebook.saw("results fetched");
    if (site_.agents.is_tidy || !site_.random.chance(0.1)) co_return answer;
    site_.notebook.saw("results damaged on the way");
    auto bytes = co_await port::read_all(*answer->body, kAnswerMax);
    if (bytes && !bytes->empty()) bytes->front() = '?';
    co_return test::make_response(200, bytes ? std::move(*bytes) : std::string{});
}

void HostLife::look() {
    if (!host_ || life_.is_cut()) return;
    core().check_invariants();
    if (!settled_at_ && core().complete()) settled_at_ = site_.clock.now();
    for (const auto& [id, instance] : core().instances())
        if (instance.lease && !instance.lease_stuck)
            site_.witness.leased(instance.lease->run_token, instance.lease_until);
}

void HostLife::drain(bool on, std::optional<TimePoint> by) {
    tasks_.start("drain", change_drain(on, by));
}

asio::awaitable<void> HostLife::change_drain(bool on, std::optional<TimePoint> by) {
    host_agent::Drain& drain = host_->handles().drain;
    host_agent::DrainOrder order{by, "the world says so", site_.clock.now()};
    Result<void> done;
    if (on)
        done = co_await drain.begin(std::move(order));
    else
        done = co_await drain.end();
    if (done && on && by) site_.notebook.saw("drains with a limit");
}

}  // namespace longhaul::sim
