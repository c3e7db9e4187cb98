#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "longhaul/net/sse.hpp"

#include <charconv>

namespace longhaul::gateway::routes {
namespace {

constexpr std::size_t kBatch = 100;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return value;
}

std::string end_event() {
    net::SseEvent event;
    event.event = "end";
    event.data = "{}";
    return net::format_sse(event);
}

// The history of one invocation as it grows; ids are revisions.
class HistoryStream final : public port::ByteSource {
public:
    HistoryStream(const Api& api, Addressed what, std::uint32_t after)
        : api_(api),
          what_(std::move(what)),
          watch_(api.gateway.watches(), what_.id),
          after_(after) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        while (!ended_) {
            const std::uint64_t seen = watch_.count();
            TenantName tenant = what_.tenant;
            InvocationId id = what_.id;
            auto history = co_await api_.gateway.history(std::move(tenant), std::move(id));
            if (!history) co_return history.error();
            std::string out;
            for (const HistoryEntry& entry : *history) add(entry, out);
            if (ended_) out += end_event();
            if (!out.empty()) co_return out;
            port::Clock& clock = api_.gateway.clock();
            const TimePoint until = clock.now() + api_.options.stream_heartbeat;
            const bool changed = co_await watch_.wait(seen, clock, until);
            if (api_.gateway.stopping()) co_return std::string();  // it ends; clients reconnect
            if (!changed) co_return std::string(net::kSseHeartbeat);
        }
        co_return std::string();
    }

private:
    void add(const HistoryEntry& entry, std::string& out) {
        if (entry.revision > after_) {
            net::SseEvent event;
            event.id = std::to_string(entry.revision);
            event.event = "state";
            event.data = history_document(what_.id, entry).dump();
            out += net::format_sse(event);
            after_ = entry.revision;
        }
        if (is_terminal(entry.state)) ended_ = true;
    }

    const Api& api_;
    const Addressed what_;
    Watches::Watch watch_;
    std::uint32_t after_;
    bool ended_ = false;
};

struct StreamFilter {
    TenantName tenant;
    std::optional<FunctionName> function{};
    std::optional<State> state{};
};

// Every change of every invocation of a tenant; ids are journal positions.
class FeedStream final : public port::ByteSource {
public:
    FeedStream(const Api& api, StreamFilter filter, port::Position cursor)
        : api_(api), filter_(std::move(filter)), cursor_(cursor) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        EventFeed& feed = api_.gateway.events();
        while (true) {
            std::string out;
            const auto items = feed.after(cursor_, kBatch);
            if (!items) {
                out = missed_event();
                cursor_ = feed.last();
            } else {
                for (const FeedItem& item : *items) add(item, out);
            }
            if (!out.empty()) co_return out;
            if (items && !items->empty()) continue;  // all filtered out: the next ones at once
            port::Clock& clock = api_.gateway.clock();
            const TimePoint until = clock.now() + api_.options.stream_heartbeat;
            const bool changed = co_await feed.wait(clock, until);
            if (api_.gateway.stopping()) co_return std::string();  // it ends; clients reconnect
            if (!changed) co_return std::string(net::kSseHeartbeat);
        }
    }

private:
    // Look-up is truth: whoever missed something reads the lists again.
    static std::string missed_event() {
        net::SseEvent event;
        event.event = "missed";
        event.data = "{\"detail\":\"changes since the cursor are no longer kept; list again\"}";
        return net::format_sse(event);
    }

    void add(const FeedItem& item, std::string& out) {
        cursor_ = item.position;
        if (item.tenant != filter_.tenant) return;
        if (filter_.function && item.function != *filter_.function) return;
        if (filter_.state && item.entry.state != *filter_.state) return;
        wire::Json document = history_document(item.id, item.entry);
        document.set("function", item.function.text);
        net::SseEvent event;
        event.id = std::to_string(item.position);
        event.event = "state";
        event.data = document.dump();
        out += net::format_sse(event);
    }

    const Api& api_;
    const StreamFilter filter_;
    port::Position cursor_;
};

Result<StreamFilter> parse_filter(const Api& api, const net::Request& request) {
    StreamFilter filter;
    auto tenant = tenant_of(api, request);
    if (!tenant) return tenant.error();
    filter.tenant = std::move(*tenant);
    if (const auto text = request.query_value("function")) {
        auto function = parse_function_name(*text);
        if (!function)
            return make_error(Errc::invalid_argument, "query function: " + function.error().message,
                              "invalid-parameter");
        filter.function = std::move(*function);
    }
    if (const auto text = request.query_value("state")) {
        filter.state = state_from(*text);
        if (!filter.state)
            return make_error(Errc::invalid_argument,
                              "query state: there is no state \"" + std::string(*text) + "\"",
                              "invalid-parameter");
    }
    return filter;
}

}  // namespace

Answer get_events(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    TenantName tenant = what->tenant;
    InvocationId id = what->id;
    auto history = co_await api.gateway.history(std::move(tenant), std::move(id));
    if (!history) co_return net::problem_response(history.error());
    if (request.header("Accept").value_or("").find("text/event-stream") != std::string_view::npos) {
        const auto after = number(request.header("Last-Event-ID").value_or("0"));
        if (!after || *after > UINT32_MAX)
            co_return net::problem_response(make_error(
                Errc::invalid_argument, "Last-Event-ID: is not a revision", "invalid-header"));
        co_return net::sse_response(std::make_unique<HistoryStream>(
            api, std::move(*what), static_cast<std::uint32_t>(*after)));
    }
    wire::Json events = wire::Json::array();
    for (const HistoryEntry& entry : *history) events.push(history_document(what->id, entry));
    co_return net::json_response(200, wire::Json::object().set("events", std::move(events)));
}

Answer stream_events(const Api& api, net::Request& request) {
    auto filter = parse_filter(api, request);
    if (!filter) co_return net::problem_response(filter.error());
    port::Position cursor = api.gateway.events().last();
    const auto text = request.header("Last-Event-ID");
    const auto from = text ? text : request.query_value("cursor");
    if (from) {
        const auto parsed = number(*from);
        if (!parsed)
            co_return net::problem_response(make_error(
                Errc::invalid_argument, "the cursor is not a position", "invalid-parameter"));
        cursor = *parsed;
    }
    co_return net::sse_response(std::make_unique<FeedStream>(api, std::move(*filter), cursor));
}

}  // namespace longhaul::gateway::routes
