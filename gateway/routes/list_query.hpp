// ?function=&state=&label=&since=&until=&order=&limit=&cursor= as a ListQuery.
#pragma once

#include "gateway/driver/operations_handle.hpp"
#include "gateway/routes/api.hpp"

#include <string>

namespace longhaul::gateway {

// Errc::invalid_argument of type invalid-parameter names the parameter.
[[nodiscard]] Result<ListQuery> parse_list_query(const Api& api, const net::Request& request);

// The same filters for a call about many: `limit` up to bulk_max, no `order`, `dry_run`, and
// without any filter `all=true`. `state` may name live ones for stops, ended ones for the others.
[[nodiscard]] Result<BulkOrder> parse_bulk_query(const Api& api, const net::Request& request,
                                                 BulkVerb verb);

// function, label, since, until, limit, cursor.
[[nodiscard]] Result<ListQuery> parse_dead_letter_query(const Api& api,
                                                        const net::Request& request);

// An opaque cursor that continues after this one.
[[nodiscard]] std::string cursor_at(const std::pair<TimePoint, InvocationId>& place);

// The target of the next page: the same query with another cursor.
[[nodiscard]] std::string next_page(const net::Request& request, const std::string& cursor);

}  // namespace longhaul::gateway
