// The client for programs without coroutines: the same calls, each returns when it is done.
//
// Owns its event loop and connections. A host name is looked up once, when it is made (an IPv4
// address before an IPv6 one). Not thread-safe; one per thread.
#pragma once

#include "longhaul/client/types.hpp"

#include <memory>

namespace longhaul::client {

class BlockingClient {
public:
    explicit BlockingClient(ClientOptions options);
    ~BlockingClient();
    BlockingClient(const BlockingClient&) = delete;
    BlockingClient& operator=(const BlockingClient&) = delete;

    // Each is Client's function of that name (client.hpp).
    Result<Submitted> submit(SubmitRequest request);
    Result<InvocationStatus> get(InvocationId id);
    Result<InvocationStatus> wait(InvocationId id, Duration tick, StatusSink each);
    Result<ResultInfo> result(InvocationId id, ByteSink sink);
    Result<void> logs(LogRequest request, LogSink sink);
    Result<InvocationStatus> cancel(StopRequest request);
    Result<InvocationStatus> kill(StopRequest request);
    Result<InvocationStatus> change(InvocationId id, wire::Json change);
    Result<ListPage> list(ListFilter filter);
    Result<InvocationStatus> retry(InvocationId id);
    Result<void> purge(InvocationId id);
    Result<BulkDone> bulk(BulkRequest request);
    Result<ListPage> dead_letters(ListFilter filter);
    Result<InvocationStatus> redrive(InvocationId id);
    Result<wire::Json> debug(InvocationId id);
    Result<wire::Json> submit_batch(std::string lines);
    Result<wire::Json> queue(FunctionName name, std::string verb);
    Result<wire::Json> limits(wire::Json change);
    Result<wire::Json> list_hosts();
    Result<InstanceList> list_instances();
    Result<HostDrain> get_drain(HostId host);
    Result<HostDrain> drain(DrainRequest request);
    Result<HostDrain> wait_drained(HostId host, Duration tick, DrainSink each);
    Result<wire::Json> put_function(FunctionName name, wire::Json document);
    Result<wire::Json> get_function(FunctionName name);
    Result<wire::Json> list_functions();
    Result<void> delete_function(FunctionName name);
    Result<Package> upload_package(FunctionName name, std::string archive);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::client
