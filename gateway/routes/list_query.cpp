#include "gateway/routes/list_query.hpp"

#include "longhaul/wire/base64.hpp"

#include <charconv>

namespace longhaul::gateway {
namespace {

Error invalid(std::string_view name, const std::string& why) {
    return make_error(Errc::invalid_argument, "query " + std::string(name) + ": " + why,
                      "invalid-parameter");
}

Result<TimePoint> parse_time(std::string_view name, std::string_view text) {
    auto point = parse_rfc3339(text);
    if (!point) return invalid(name, point.error().message);
    return point;
}

Result<std::pair<TimePoint, InvocationId>> parse_cursor(std::string_view text) {
    const auto decoded = wire::base64_decode(text);
    const Error bad = invalid("cursor", "is not one that a list gave out");
    if (!decoded) return bad;
    const std::size_t space = decoded->find(' ');
    if (space == std::string::npos) return bad;
    std::int64_t us = 0;
    const auto parsed = std::from_chars(decoded->data(), decoded->data() + space, us);
    if (parsed.ec != std::errc{} || parsed.ptr != decoded->data() + space) return bad;
    auto id = parse_invocation_id(std::string_view(*decoded).substr(space + 1));
    if (!id) return bad;
    return std::pair{TimePoint{Duration{us}}, std::move(*id)};
}

// "running,queued", or the groups "live" and "ended".
Result<void> read_states(std::string_view text, std::vector<State>& out) {
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view name = text.substr(0, comma);
        const bool is_group = name == "live" || name == "ended";
        for (int number = 1; is_group && number <= kStateCount; ++number)
            if (is_terminal(static_cast<State>(number)) == (name == "ended"))
                out.push_back(static_cast<State>(number));
        const auto state = state_from(name);
        if (!is_group && !state)
            return invalid("state", "there is no state \"" + std::string(name) + "\"");
        if (state) out.push_back(*state);
        if (comma == std::string_view::npos) return {};
        text.remove_prefix(comma + 1);
    }
}

Result<void> read_parameter(const std::string& name, const std::string& value,
                            std::uint32_t list_max, ListQuery& query) {
    if (name == "function") {
        auto function = parse_function_name(value);
        if (!function) return invalid(name, function.error().message);
        query.function = std::move(*function);
    } else if (name == "state") {
        if (auto states = read_states(value, query.states); !states) return states.error();
    } else if (name == "label") {
        const std::size_t equals = value.find('=');
        if (equals == std::string::npos) return invalid(name, "is not of the form name=value");
        query.labels.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    } else if (name == "since" || name == "until") {
        auto point = parse_time(name, value);
        if (!point) return point.error();
        (name == "since" ? query.since : query.until) = *point;
    } else if (name == "order") {
        if (value != "asc" && value != "desc") return invalid(name, "is neither asc nor desc");
        query.newest_first = value == "desc";
    } else if (name == "limit") {
        std::uint32_t limit = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), limit);
        if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size() || limit == 0 ||
            limit > list_max)
            return invalid(name, "is not a number from 1 to " + std::to_string(list_max));
        query.limit = limit;
    } else if (name == "cursor") {
        auto cursor = parse_cursor(value);
        if (!cursor) return cursor.error();
        query.after = std::move(*cursor);
    } else {
        return unknown_parameter(name);
    }
    return {};
}

Result<void> read_switch(std::string_view name, std::string_view value, bool& out) {
    if (value != "true" && value != "false") return invalid(name, "is neither true nor false");
    out = value == "true";
    return {};
}

std::string percent_encoded(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const unsigned char character : text) {
        if (std::isalnum(character) || character == '-' || character == '_' || character == '.' ||
            character == ':') {
            encoded += static_cast<char>(character);
        } else {
            encoded += '%';
            encoded += kHex[character >> 4];
            encoded += kHex[character & 15];
        }
    }
    return encoded;
}

}  // namespace

Result<ListQuery> parse_list_query(const Api& api, const net::Request& request) {
    ListQuery query;
    auto tenant = tenant_of(api, request);
    if (!tenant) return tenant.error();
    query.tenant = std::move(*tenant);
    for (const auto& [name, value] : request.query)
        if (auto read = read_parameter(name, value, api.options.list_max, query); !read)
            return read.error();
    return query;
}

Result<BulkOrder> parse_bulk_query(const Api& api, const net::Request& request, BulkVerb verb) {
    BulkOrder order;
    order.verb = verb;
    ListQuery& query = order.query;
    query.limit = api.options.bulk_max;
    auto tenant = tenant_of(api, request);
    if (!tenant) return tenant.error();
    query.tenant = std::move(*tenant);
    bool all = false;
    for (const auto& [name, value] : request.query) {
        if (name == "order") return unknown_parameter(name);
        const bool is_switch = name == "dry_run" || name == "all";
        auto read = is_switch ? read_switch(name, value, name == "all" ? all : order.dry_run)
                              : read_parameter(name, value, api.options.bulk_max, query);
        if (!read) return read.error();
    }
    const bool is_filtered = query.function || !query.states.empty() || !query.labels.empty() ||
                             query.since || query.until;
    if (!is_filtered && !all)
        return make_error(Errc::invalid_argument,
                          "a filter is needed (function, state, label, since, until); for all of "
                          "them say all=true",
                          "invalid-parameter");
    const bool stops = verb == BulkVerb::cancel || verb == BulkVerb::kill;
    for (const State state : query.states)
        if (is_terminal(state) == stops)
            return invalid("state", std::string(to_string(state)) +
                                        (stops ? " has ended: nothing is left to stop"
                                               : " has not ended: cancel or kill it first"));
    return order;
}

Result<ListQuery> parse_dead_letter_query(const Api& api, const net::Request& request) {
    for (const auto& [name, value] : request.query)
        if (name == "order" || name == "state") return unknown_parameter(name);
    auto query = parse_list_query(api, request);
    if (!query) return query;
    query->states = {State::failed, State::timed_out, State::expired};
    query->unretried = true;
    return query;
}

std::string cursor_at(const std::pair<TimePoint, InvocationId>& place) {
    return wire::base64_encode(std::to_string(place.first.time_since_epoch().count()) + " " +
                               place.second.text);
}

std::string next_page(const net::Request& request, const std::string& cursor) {
    std::string target = request.path + "?";
    for (const auto& [name, value] : request.query)
        if (name != "cursor") target += percent_encoded(name) + "=" + percent_encoded(value) + "&";
    return target + "cursor=" + percent_encoded(cursor);
}

}  // namespace longhaul::gateway
