#include "longhaul/net/server.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/net/impl/address.hpp"
#include "longhaul/net/impl/connection.hpp"
#include "longhaul/net/impl/server_state.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/net/task_group.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <poll.h>
#include <unistd.h>
#include <list>

namespace longhaul::net {
namespace {

// How often limits in time are looked at: while something runs, and while all wait for requests.
constexpr auto kSweepBusy = std::chrono::milliseconds(250);
constexpr auto kSweepIdle = std::chrono::seconds(1);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string failure_text(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted ? "" : error.what();
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

}  // namespace

struct Server::Impl {
    using Acceptor = boost::asio::basic_socket_acceptor<StreamProtocol>;
    using Connections = std::list<Connection>;

    Impl(boost::asio::any_io_executor executor_arg, const port::Clock& clock, Logger logger,
         ServerOptions options, std::vector<Route> routes)
        : executor(std::move(executor_arg)),
          state(clock, logger, std::move(options), std::move(routes)),
          acceptor(executor),
          tasks(executor, logger),
          changed(executor) {}

    Result<void> start();
    boost::asio::awaitable<void> accept_loop();
    boost::asio::awaitable<void> sweep_loop();
    boost::asio::awaitable<void> end_drain(Duration drain);
    boost::asio::awaitable<void> stop(Duration drain);
    void serve(StreamSocket socket);
    void turn_away(StreamSocket socket);
    void sweep();
    void stop_accepting();

    boost::asio::any_io_executor executor;
    ServerState state;
    std::string address;  // with the real port; "" until started
    std::string unix_path;
    Acceptor acceptor;
    TaskGroup tasks;   // accept, sweep, drain
    Notifier changed;  // a connection began or ended, or the drain is over
    // Each is one spawned coroutine, awaited by stop(): a TaskGroup of its own kind, because one
    // connection is cancelled alone.
    Connections connections;
    bool drain_over = false;
    std::vector<pollfd> watched;  // reused by sweep()
    std::vector<Connection*> watched_connections;
};

Result<void> Server::Impl::start() {
    const auto parsed = parse_address(state.options.address);
    if (!parsed) return make_error(Errc::unavailable, parsed.error().message);
    StreamEndpoint endpoint;
    if (auto done = to_endpoint(*parsed, endpoint); !done)
        return make_error(Errc::unavailable, done.error().message);
    const auto fd = open_listener(state.options.address, *parsed, endpoint);
    if (!fd) return fd.error();
    boost::system::error_code error;
    acceptor.assign(endpoint.protocol(), *fd, error);
    if (!error) acceptor.non_blocking(true, error);
    if (error) {
        if (!acceptor.is_open()) ::close(*fd);
        return make_error(Errc::unavailable,
                          "cannot listen on " + state.options.address + ": " + error.message());
    }
    address = parsed->is_unix ? state.options.address : to_string(acceptor.local_endpoint());
    if (parsed->is_unix) unix_path = parsed->host;
    tasks.start("accept", accept_loop());
    tasks.start("sweep", sweep_loop());
    state.logger.info("listening", {{"listener", state.options.name}, {"address", address}});
    return {};
}

boost::asio::awaitable<void> Server::Impl::accept_loop() {
    boost::asio::steady_timer pause(executor);
    while (acceptor.is_open()) {
        StreamSocket socket(executor);
        boost::system::error_code error;
        co_await acceptor.async_accept(
            socket, boost::asio::redirect_error(boost::asio::use_awaitable, error));
        if (!error) {
            serve(std::move(socket));
            continue;
        }
        if (!acceptor.is_open() || error == boost::asio::error::operation_aborted) co_return;
        state.logger.warning("accept_failed",
                             {{"listener", state.options.name}, {"error", error.message()}});
        pause.expires_after(kAcceptPause);  // out of descriptors, as a rule
        co_await pause.async_wait(boost::asio::use_awaitable);
    }
}

void Server::Impl::serve(StreamSocket socket) {
    if (connections.size() >= state.options.limits.connections_max) {
        turn_away(std::move(socket));
        return;
    }
    ++state.accepted;
    boost::system::error_code error;
    const auto peer = socket.remote_endpoint(error);
    auto remote = error ? std::string("unknown") : to_string(peer);
    const auto place =
        connections.emplace(connections.end(), state, std::move(socket), std::move(remote));
    if (connections.size() == 1) changed.notify_all();
    boost::asio::co_spawn(executor, place->run(),
                          boost::asio::bind_cancellation_slot(
                              place->slot(), [this, place](std::exception_ptr failure) {
                                  const auto text = failure ? failure_text(failure) : "";
                                  if (!text.empty())
                                      state.logger.error("connection_failed", {{"error", text}});
                                  connections.erase(place);
                                  if (state.stopping) changed.notify_all();
                              }));
}

void Server::Impl::turn_away(StreamSocket socket) {
    ++state.turned_away;
    auto response = problem_response(
        make_error(Errc::unavailable,
                   "the limit of " + std::to_string(state.options.limits.connections_max) +
                       " connections is reached",
                   "too-many-connections"));
    ResponseFraming framing;
    framing.length = response.body.size();
    framing.keep_alive = false;
    std::string out;
    write_response_head(out, response, framing, state.date.at(state.clock.now()));
    out += response.body;
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(boost::asio::buffer(out), ignored);
    socket.shutdown(StreamSocket::shutdown_send, ignored);
}

boost::asio::awaitable<void> Server::Impl::sweep_loop() {
    boost::asio::steady_timer timer(executor);
    while (true) {
        while (connections.empty()) co_await changed.wait();
        bool idle = true;
        for (const auto& connection : connections) idle = idle && connection.is_idle();
        if (idle)
            timer.expires_after(kSweepIdle);
        else
            timer.expires_after(kSweepBusy);
        co_await timer.async_wait(boost::asio::use_awaitable);
        sweep();
    }
}

void Server::Impl::sweep() {
    const auto now = state.clock.now();
    watched.clear();
    watched_connections.clear();
    for (auto& connection : connections) {
        if (connection.wants_watch()) {
            watched.push_back(pollfd{connection.fd(), POLLRDHUP, 0});
            watched_connections.push_back(&connection);
        }
        connection.sweep(now);
    }
    if (watched.empty() || ::poll(watched.data(), watched.size(), 0) <= 0) return;
    for (std::size_t i = 0; i < watched.size(); ++i)
        if ((watched[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
            watched_connections[i]->client_left();
}

void Server::Impl::stop_accepting() {
    if (!acceptor.is_open()) return;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    if (!unix_path.empty()) ::unlink(unix_path.c_str());
}

boost::asio::awaitable<void> Server::Impl::end_drain(Duration drain) {
    boost::asio::steady_timer timer(executor, drain);
    co_await timer.async_wait(boost::asio::use_awaitable);
    drain_over = true;
    changed.notify_all();
}

boost::asio::awaitable<void> Server::Impl::stop(Duration drain) {
    state.refusing = true;
    state.stopping = true;
    stop_accepting();
    for (auto& connection : connections) connection.stop_idle();
    tasks.start("drain", end_drain(drain));
    while (!connections.empty() && !drain_over) co_await changed.wait();
    // Twice and more: a handler that ends writes its answer, which may block in its turn.
    while (!connections.empty()) {
        for (auto& connection : connections) connection.abort();
        co_await changed.wait();
    }
    tasks.cancel();
    co_await tasks.join();
}

Server::Server(boost::asio::any_io_executor executor, const port::Clock& clock, Logger logger,
               ServerOptions options, std::vector<Route> routes)
    : impl_(std::make_unique<Impl>(std::move(executor), clock, std::move(logger),
                                   std::move(options), std::move(routes))) {}

Server::~Server() { LH_ASSERT(impl_->connections.empty()); }

Result<void> Server::start() { return impl_->start(); }

const std::string& Server::address() const {
    LH_ASSERT(!impl_->address.empty());
    return impl_->address;
}

void Server::refuse_new_work() { impl_->state.refusing = true; }

boost::asio::awaitable<void> Server::stop(Duration drain) { return impl_->stop(drain); }

MetricSamples Server::metrics() const {
    const auto& state = impl_->state;
    const auto& name = state.options.name;
    MetricSamples out;
    const auto add = [&](std::string metric, std::string help, MetricType type, double value) {
        out.push_back(
            MetricSample{std::move(metric), std::move(help), type, {{"listener", name}}, value});
    };
    const auto count = [&](std::string metric, std::string help, std::uint64_t value) {
        add(std::move(metric), std::move(help), MetricType::counter, static_cast<double>(value));
    };
    add("longhaul_http_connections", "Open connections", MetricType::gauge,
        static_cast<double>(impl_->connections.size()));
    add("longhaul_http_running", "Requests being served", MetricType::gauge, state.running);
    count("longhaul_http_connections_total", "Connections accepted", state.accepted);
    count("longhaul_http_turned_away_total", "Connections above the limit", state.turned_away);
    count("longhaul_http_malformed_total", "Requests refused by guard or parser", state.malformed);
    count("longhaul_http_unrouted_total", "Requests for no route", state.unrouted);
    count("longhaul_http_clients_left_total", "Clients that left while served", state.clients_left);
    for (std::size_t i = 0; i < state.counters.size(); ++i) {
        const auto& route = state.router.routes()[i];
        const auto& counters = state.counters[i];
        const auto label = route.method + " " + route.label;
        bool used = false;
        for (std::size_t c = 0; c < counters.by_class.size(); ++c) {
            if (counters.by_class[c] == 0) continue;
            used = true;
            out.push_back(MetricSample{
                "longhaul_http_requests_total",
                "Requests by route and class of status",
                MetricType::counter,
                {{"listener", name}, {"route", label}, {"status", std::to_string(c) + "xx"}},
                static_cast<double>(counters.by_class[c])});
        }
        if (used)
            out.push_back(MetricSample{"longhaul_http_request_seconds",
                                       "From the request's header to its answer",
                                       MetricType::histogram,
                                       {{"listener", name}, {"route", label}},
                                       0,
                                       counters.seconds});
    }
    return out;
}

}  // namespace longhaul::net
