#include "gateway/routes/stop_wishes.hpp"

namespace longhaul::gateway {
namespace {

constexpr Duration kGraceMax = std::chrono::hours(1);
constexpr std::size_t kReasonBytesMax = 1024;

}  // namespace

boost::asio::awaitable<Result<void>> read_stop_wishes(const Api& api, net::Request& request,
                                                      StopRequest& stop) {
    auto text = co_await port::read_all(*request.body, api.options.document_max);
    if (!text) co_return text.error();
    if (text->empty()) co_return Result<void>{};
    auto body = wire::parse_json(*text);
    if (!body) co_return body.error();
    wire::ObjectReader reader{*body};
    Duration grace{};
    reader.text("reason", stop.reason);
    if (stop.reason.size() > kReasonBytesMax)
        reader.fail("reason", "is longer than " + std::to_string(kReasonBytesMax) + " bytes");
    if (stop.cause == StopCause::cancel &&
        reader.duration("grace", grace, Duration::zero(), kGraceMax))
        stop.grace = grace;
    co_return reader.finish_strict();
}

}  // namespace longhaul::gateway
