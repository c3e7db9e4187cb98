// Every handler of the public API, one file each; table.cpp says which method and path is whose.
// All: decode, ask the gateway, encode.
#pragma once

#include "gateway/routes/api.hpp"
#include "longhaul/net/message.hpp"

#include <boost/asio/awaitable.hpp>

namespace longhaul::gateway::routes {

using Answer = boost::asio::awaitable<net::Response>;

// submit.cpp
Answer submit(const Api& api, net::Request& request);
Answer submit_with_id(const Api& api, net::Request& request);

// batch.cpp
Answer submit_batch(const Api& api, net::Request& request);

// read.cpp
Answer get_invocation(const Api& api, net::Request& request);
Answer get_attempts(const Api& api, net::Request& request);
Answer list_invocations(const Api& api, net::Request& request);
Answer count_invocations(const Api& api, net::Request& request);
Answer batch_get(const Api& api, net::Request& request);
// One page of a list, with the way to the next.
Answer list_page(const Api& api, const net::Request& request, ListQuery wanted);

// result.cpp, logs.cpp, events.cpp
Answer get_result(const Api& api, net::Request& request);
Answer get_logs(const Api& api, net::Request& request);
Answer get_events(const Api& api, net::Request& request);
Answer stream_events(const Api& api, net::Request& request);

// control.cpp
Answer cancel_invocation(const Api& api, net::Request& request);
Answer kill_invocation(const Api& api, net::Request& request);

// operations.cpp
Answer retry_invocation(const Api& api, net::Request& request);
Answer delete_invocation(const Api& api, net::Request& request);
Answer bulk_cancel(const Api& api, net::Request& request);
Answer bulk_kill(const Api& api, net::Request& request);
Answer bulk_retry(const Api& api, net::Request& request);
Answer bulk_purge(const Api& api, net::Request& request);
Answer purge_queue(const Api& api, net::Request& request);
Answer list_dead_letters(const Api& api, net::Request& request);
Answer redrive_dead_letter(const Api& api, net::Request& request);

// limits.cpp
Answer get_limits(const Api& api, net::Request& request);
Answer put_limits(const Api& api, net::Request& request);

// debug.cpp
Answer debug_invocation(const Api& api, net::Request& request);

// patch.cpp
Answer patch_invocation(const Api& api, net::Request& request);

// functions.cpp
Answer list_functions(const Api& api, net::Request& request);
Answer get_function(const Api& api, net::Request& request);
Answer put_function(const Api& api, net::Request& request);
Answer delete_function(const Api& api, net::Request& request);
Answer upload_version(const Api& api, net::Request& request);
Answer get_queue(const Api& api, net::Request& request);
Answer pause_queue(const Api& api, net::Request& request);
Answer resume_queue(const Api& api, net::Request& request);

// hosts.cpp
Answer list_hosts(const Api& api, net::Request& request);
Answer get_drain(const Api& api, net::Request& request);
Answer set_drain(const Api& api, net::Request& request);
Answer take_status(const Api& api, net::Request& request);

// instances.cpp
Answer list_instances(const Api& api, net::Request& request);

}  // namespace longhaul::gateway::routes
