#include "gateway/driver/host_registry.hpp"

#include "longhaul/wire/json.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <utility>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kAnswerMax = 64u << 20;  // 10,000 hosts with what each has loaded

}  // namespace

Result<std::vector<wire::HostAnnouncement>> decode_hosts(std::string_view text,
                                                         Duration silence_max) {
    wire::JsonLimits limits;
    limits.bytes_max = kAnswerMax;
    const auto document = wire::parse_json(text, limits);
    if (!document) return document.error();
    wire::ObjectReader reader{*document};
    const wire::Json* hosts = reader.member("hosts");
    if (hosts == nullptr || hosts->as_array() == nullptr)
        return make_error(Errc::invalid_argument, "hosts: must be a list");
    std::vector<wire::HostAnnouncement> heard;
    for (const wire::Json& item : *hosts->as_array()) {
        std::int64_t silent_ms = 0;
        wire::ObjectReader host{item};
        host.integer("last_heard_ms_ago", silent_ms, 0, INT64_MAX);
        if (host.failed() || std::chrono::milliseconds(silent_ms) > silence_max) continue;
        auto announcement = wire::decode<wire::HostAnnouncement>(item.dump());
        if (announcement) heard.push_back(std::move(*announcement));
    }
    return heard;
}

boost::asio::awaitable<Result<std::vector<wire::HostAnnouncement>>> read_hosts(
    port::Peer& peer, std::string address, Duration call_limit, Duration silence_max) {
    port::PeerRequest request{"GET", "/v1/hosts"};
    auto response = co_await peer.call(std::move(address), std::move(request), call_limit);
    if (!response) co_return response.error();
    auto text = co_await port::read_all(*response->body, kAnswerMax);
    if (!text) co_return text.error();
    if (response->status >= 300) co_return wire::error_from_problem(response->status, *text);
    co_return decode_hosts(*text, silence_max);
}

}  // namespace longhaul::gateway
