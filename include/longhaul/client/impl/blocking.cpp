#include "longhaul/client/blocking.hpp"

#include "longhaul/client/client.hpp"
#include "longhaul/client/decode.hpp"
#include "longhaul/client/impl/words.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/net/task_group.hpp"

#include <boost/asio/io_context.hpp>

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>

namespace longhaul::client {
namespace {

// A submit without a key must not be sent twice because a pooled connection had gone stale.
net::ClientOptions no_repeated_posts() {
    net::ClientOptions options;
    options.repeat_posts = false;
    return options;
}

struct Located {
    ClientOptions options;
    std::optional<Error> problem{};
};

// net takes numeric addresses only. What is no HOST:PORT is left to the client to complain about.
Located locate(ClientOptions options) {
    Located located{std::move(options)};
    const auto address = parse_server(located.options.server);
    if (!address || address->starts_with("unix:")) return located;
    const auto colon = address->rfind(':');
    const std::string host = address->substr(0, colon);
    if (host == "localhost" || host.starts_with('[')) return located;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    const addrinfo* best = found;
    while (best != nullptr && best->ai_family != AF_INET) best = best->ai_next;
    if (best == nullptr) best = found;
    char text[NI_MAXHOST] = {};
    if (failed != 0 || ::getnameinfo(best->ai_addr, best->ai_addrlen, text, sizeof text, nullptr, 0,
                                     NI_NUMERICHOST) != 0) {
        located.problem =
            explain(located.options,
                    make_error(Errc::unreachable, "there is no host named '" + host + "' (" +
                                                      ::gai_strerror(failed) + ")"));
        return located;
    }
    const bool is_v6 = best->ai_family == AF_INET6;
    located.options.address =
        (is_v6 ? "[" + std::string(text) + "]" : std::string(text)) + address->substr(colon);
    return located;
}

template <class T>
boost::asio::awaitable<void> store(boost::asio::awaitable<Result<T>> operation,
                                   std::optional<Result<T>>& out) {
    out.emplace(co_await std::move(operation));
}

}  // namespace

struct BlockingClient::Impl {
    explicit Impl(ClientOptions options)
        : located(locate(std::move(options))),
          peer(context.get_executor(), no_repeated_posts()),
          client(peer, located.options) {}

    // Runs the loop until the one operation has ended.
    template <class T>
    Result<T> run(boost::asio::awaitable<Result<T>> operation) {
        if (located.problem) return *located.problem;
        std::optional<Result<T>> result;
        net::TaskGroup tasks(context.get_executor(), Logger());
        tasks.start("client call", store(std::move(operation), result));
        context.restart();
        while (tasks.size() > 0 && context.run_one() > 0) {
        }
        if (!result) return make_error(Errc::internal, "the call ended without an answer");
        return std::move(*result);
    }

    const Located located;
    boost::asio::io_context context{1};
    net::HttpPeer peer;
    Client client;
};

BlockingClient::BlockingClient(ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
BlockingClient::~BlockingClient() = default;

Result<Submitted> BlockingClient::submit(SubmitRequest request) {
    return impl_->run(impl_->client.submit(std::move(request)));
}
Result<InvocationStatus> BlockingClient::get(InvocationId id) {
    return impl_->run(impl_->client.get(std::move(id)));
}
Result<InvocationStatus> BlockingClient::wait(InvocationId id, Duration tick, StatusSink each) {
    return impl_->run(impl_->client.wait(std::move(id), tick, std::move(each)));
}
Result<ResultInfo> BlockingClient::result(InvocationId id, ByteSink sink) {
    return impl_->run(impl_->client.result(std::move(id), std::move(sink)));
}
Result<void> BlockingClient::logs(LogRequest request, LogSink sink) {
    return impl_->run(impl_->client.logs(std::move(request), std::move(sink)));
}
Result<InvocationStatus> BlockingClient::cancel(StopRequest request) {
    return impl_->run(impl_->client.cancel(std::move(request)));
}
Result<InvocationStatus> BlockingClient::kill(StopRequest request) {
    return impl_->run(impl_->client.kill(std::move(request)));
}
Result<InvocationStatus> BlockingClient::change(InvocationId id, wire::Json change) {
    return impl_->run(impl_->client.change(std::move(id), std::move(change)));
}
Result<ListPage> BlockingClient::list(ListFilter filter) {
    return impl_->run(impl_->client.list(std::move(filter)));
}
Result<InvocationStatus> BlockingClient::retry(InvocationId id) {
    return impl_->run(impl_->client.retry(std::move(id)));
}
Result<void> BlockingClient::purge(InvocationId id) {
    return impl_->run(impl_->client.purge(std::move(id)));
}
Result<BulkDone> BlockingClient::bulk(BulkRequest request) {
    return impl_->run(impl_->client.bulk(std::move(request)));
}
Result<ListPage> BlockingClient::dead_letters(ListFilter filter) {
    return impl_->run(impl_->client.dead_letters(std::move(filter)));
}
Result<InvocationStatus> BlockingClient::redrive(InvocationId id) {
    return impl_->run(impl_->client.redrive(std::move(id)));
}
Result<wire::Json> BlockingClient::debug(InvocationId id) {
    return impl_->run(impl_->client.debug(std::move(id)));
}
Result<wire::Json> BlockingClient::submit_batch(std::string lines) {
    return impl_->run(impl_->client.submit_batch(std::move(lines)));
}
Result<wire::Json> BlockingClient::queue(FunctionName name, std::string verb) {
    return impl_->run(impl_->client.queue(std::move(name), std::move(verb)));
}
Result<wire::Json> BlockingClient::limits(wire::Json change) {
    return impl_->run(impl_->client.limits(std::move(change)));
}
Result<wire::Json> BlockingClient::list_hosts() { return impl_->run(impl_->client.list_hosts()); }
Result<InstanceList> BlockingClient::list_instances() {
    return impl_->run(impl_->client.list_instances());
}
Result<HostDrain> BlockingClient::get_drain(HostId host) {
    return impl_->run(impl_->client.get_drain(std::move(host)));
}
Result<HostDrain> BlockingClient::drain(DrainRequest request) {
    return impl_->run(impl_->client.drain(std::move(request)));
}
Result<HostDrain> BlockingClient::wait_drained(HostId host, Duration tick, DrainSink each) {
    return impl_->run(impl_->client.wait_drained(std::move(host), tick, std::move(each)));
}
Result<wire::Json> BlockingClient::put_function(FunctionName name, wire::Json document) {
    return impl_->run(impl_->client.put_function(std::move(name), std::move(document)));
}
Result<wire::Json> BlockingClient::get_function(FunctionName name) {
    return impl_->run(impl_->client.get_function(std::move(name)));
}
Result<wire::Json> BlockingClient::list_functions() {
    return impl_->run(impl_->client.list_functions());
}
Result<void> BlockingClient::delete_function(FunctionName name) {
    return impl_->run(impl_->client.delete_function(std::move(name)));
}
Result<Package> BlockingClient::upload_package(FunctionName name, std::string archive) {
    return impl_->run(impl_->client.upload_package(std::move(name), std::move(archive)));
}

}  // namespace longhaul::client
