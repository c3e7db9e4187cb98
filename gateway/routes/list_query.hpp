// ?function=&state=&label=&since=&until=&order=&limit=&cursor= as a ListQuery.
#pragma once

#include "gateway/routes/api.hpp"

#include <string>

namespace longhaul::gateway {

// Errc::invalid_argument of type invalid-parameter names the parameter.
[[nodiscard]] Result<ListQuery> parse_list_query(const Api& api, const net::Request& request);

// An opaque cursor that continues after `invocation`.
[[nodiscard]] std::string cursor_after(const Invocation& invocation);

// The target of the next page: the same query with another cursor.
[[nodiscard]] std::string next_page(const net::Request& request, const std::string& cursor);

}  // namespace longhaul::gateway
