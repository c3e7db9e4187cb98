// A thin, typed client of the gateway's public API (PROTOCOL.md), for C++20 coroutines.
//
// Every function is one request, except those that last: submit(), wait(), logs() with follow, and
// result(). They live through a restart of the gateway: they connect again for reconnect_limit,
// and go on where they were. A server that has never answered this client is not waited for: then
// the address is more likely wrong than the server away. A submit always has a key or an id, so
// that asking again makes no second invocation.
//
// Errors are the server's own (code, message and problem type); Errc::unreachable says what to
// check. Runs on the executor of the coroutine that calls it; not thread-safe. The client must
// outlive its calls.
#pragma once

#include "longhaul/client/types.hpp"
#include "longhaul/port/peer.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace longhaul::client {

class Client {
public:
    // `options.server` may be "http://host:port", "host:port" or "unix:/path"; anything else makes
    // each call fail with Errc::invalid_argument.
    Client(port::Peer& peer, ClientOptions options);

    boost::asio::awaitable<Result<Submitted>> submit(SubmitRequest request);

    // As it is now.
    boost::asio::awaitable<Result<InvocationStatus>> get(InvocationId id);
    // At its next change after `known`, its end, or after `wait`.
    boost::asio::awaitable<Result<InvocationStatus>> get_after(InvocationStatus known,
                                                               Duration wait);
    // Until it has ended, or `each` says no. `each` sees the first status and then one at each
    // change and at least one per `tick`.
    boost::asio::awaitable<Result<InvocationStatus>> wait(InvocationId id, Duration tick,
                                                          StatusSink each);

    // Errc::conflict, "no-result" or "still-live", where there is none.
    boost::asio::awaitable<Result<ResultInfo>> result(InvocationId id, ByteSink sink);
    // Every line once, in order.
    boost::asio::awaitable<Result<void>> logs(LogRequest request, LogSink sink);

    // What it is after that: stopping, or ended. Errc::conflict "already-finished".
    boost::asio::awaitable<Result<InvocationStatus>> cancel(StopRequest request);
    boost::asio::awaitable<Result<InvocationStatus>> kill(StopRequest request);
    // `change`: the members of a PATCH (PROTOCOL.md, section 4).
    boost::asio::awaitable<Result<InvocationStatus>> change(InvocationId id, wire::Json change);

    boost::asio::awaitable<Result<ListPage>> list(ListFilter filter);

    // What has ended: the same again as new, and away with it. Each retry() is a new one.
    boost::asio::awaitable<Result<InvocationStatus>> retry(InvocationId id);
    boost::asio::awaitable<Result<void>> purge(InvocationId id);
    // Calls until all is done, or something stops it.
    boost::asio::awaitable<Result<BulkDone>> bulk(BulkRequest request);
    boost::asio::awaitable<Result<ListPage>> dead_letters(ListFilter filter);
    boost::asio::awaitable<Result<InvocationStatus>> redrive(InvocationId id);
    // Everything about it, for people.
    boost::asio::awaitable<Result<wire::Json>> debug(InvocationId id);
    // Events as lines of a batch (PROTOCOL.md, section 2); the answer as it came.
    boost::asio::awaitable<Result<wire::Json>> submit_batch(std::string lines);

    // A function's queue: "" shows it; pause, resume, purge.
    boost::asio::awaitable<Result<wire::Json>> queue(FunctionName name, std::string verb);
    // `change` null: only looks.
    boost::asio::awaitable<Result<wire::Json>> limits(wire::Json change);

    // Hosts.
    boost::asio::awaitable<Result<wire::Json>> list_hosts();
    boost::asio::awaitable<Result<InstanceList>> list_instances();
    boost::asio::awaitable<Result<HostDrain>> get_drain(HostId host);
    boost::asio::awaitable<Result<HostDrain>> drain(DrainRequest request);
    // Looks once a `tick` until the host is drained, or no longer draining.
    boost::asio::awaitable<Result<HostDrain>> wait_drained(HostId host, Duration tick,
                                                           DrainSink each);

    // Functions, as their documents.
    boost::asio::awaitable<Result<wire::Json>> put_function(FunctionName name, wire::Json document);
    boost::asio::awaitable<Result<wire::Json>> get_function(FunctionName name);
    boost::asio::awaitable<Result<wire::Json>> list_functions();
    boost::asio::awaitable<Result<void>> delete_function(FunctionName name);
    // `archive` is a tar, tar.zst, tar.gz or zip.
    boost::asio::awaitable<Result<Package>> upload_package(FunctionName name, std::string archive);

private:
    boost::asio::awaitable<Result<port::PeerResponse>> call(port::PeerRequest request,
                                                            Duration limit);
    boost::asio::awaitable<Result<wire::Json>> call_json(port::PeerRequest request, Duration limit);
    boost::asio::awaitable<Result<InvocationStatus>> call_status(port::PeerRequest request);
    boost::asio::awaitable<Result<Submitted>> submit_once(SubmitRequest request);
    boost::asio::awaitable<Result<InvocationStatus>> get_patiently(InvocationId id);
    boost::asio::awaitable<Result<ResultInfo>> result_once(InvocationId id, ByteSink& sink,
                                                           ResultInfo& info);
    boost::asio::awaitable<Result<InvocationStatus>> stop(std::string verb, StopRequest request);
    struct LogCursor;
    boost::asio::awaitable<Result<void>> stream_logs(LogCursor& cursor, const LogSink& sink);
    boost::asio::awaitable<Result<bool>> log_is_complete(LogCursor& cursor, const LogSink& sink);
    // Whether waiting for the server to come back makes sense after this error.
    [[nodiscard]] bool may_come_back(const Error& error) const;

    port::Peer& peer_;

    // Constant after construction.
    const ClientOptions options_;
    std::string address_;
    std::string address_problem_;

    bool met_ = false;  // longhaul has answered at this address
};

}  // namespace longhaul::client
