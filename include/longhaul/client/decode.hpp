// The gateway's documents as the client's values, and values as parts of a URL. Pure.
#pragma once

#include "longhaul/client/types.hpp"

#include <string>
#include <string_view>

namespace longhaul::client {

// Errc::internal names the member that is not as PROTOCOL.md has it.
[[nodiscard]] Result<InvocationStatus> decode_status(wire::Json document);
[[nodiscard]] Result<ListPage> decode_page(wire::Json document);
[[nodiscard]] Result<HostDrain> decode_drain(wire::Json document);
[[nodiscard]] Result<InstanceList> decode_instances(wire::Json document);
[[nodiscard]] Result<LogLine> decode_log_line(std::string_view json_line);

// "127.0.0.1:7070" from "http://127.0.0.1:7070/"; "unix:/path" stays. Errc::invalid_argument.
[[nodiscard]] Result<std::string> parse_server(std::string_view server);

// Percent-encodes everything but unreserved characters (RFC 3986, 2.3).
[[nodiscard]] std::string url_encode(std::string_view text);

// "?function=resize&state=running&limit=50"
[[nodiscard]] std::string list_query(const ListFilter& filter);

}  // namespace longhaul::client
