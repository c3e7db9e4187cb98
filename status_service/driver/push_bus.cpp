#include "status_service/driver/push_bus.hpp"

#include "longhaul/wire/json.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::status_service {

namespace asio = boost::asio;

namespace {

constexpr Duration kBackoffFirst = std::chrono::milliseconds(50);
constexpr std::uint64_t kAnswerMax = 64u << 10;

MetricSample counter(std::string name, std::string help, std::uint64_t value) {
    MetricSample sample;
    sample.name = "longhaul_push_" + std::move(name);
    sample.help = std::move(help);
    sample.type = MetricType::counter;
    sample.value = static_cast<double>(value);
    return sample;
}

}  // namespace

// The way to one gateway.
struct PushBus::Line {
    Line(asio::any_io_executor executor, std::string address_)
        : address(std::move(address_)), changed(executor) {}

    const std::string address;
    std::deque<std::shared_ptr<const std::string>> queue{};  // shared by the lines
    std::uint64_t bytes = 0;
    std::uint64_t taken = 0;  // messages that left the queue, in either way
    bool reachable = true;
    net::Notifier changed;
};

PushBus::PushBus(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                 port::Peer& peer, std::vector<std::string> gateways, const PushLimits& limits)
    : clock_(clock),
      logger_(std::move(logger)),
      peer_(peer),
      limits_(limits),
      tasks_(executor, logger_) {
    for (std::string& address : gateways) {
        lines_.push_back(std::make_unique<Line>(executor, std::move(address)));
        tasks_.start("push", push(*lines_.back()));
    }
}

PushBus::~PushBus() = default;

Result<void> PushBus::publish(std::string subject, std::string payload) {
    if (lines_.empty()) return make_error(Errc::unavailable, "no gateway is named");
    wire::Json message = wire::Json::object();
    message.set("subject", subject).set("payload", payload);
    const auto text = std::make_shared<const std::string>(message.dump());
    for (const auto& line : lines_) {
        line->queue.push_back(text);
        line->bytes += text->size();
        while (line->queue.size() > limits_.queued_max ||
               (line->bytes > limits_.queued_bytes_max && line->queue.size() > 1)) {
            line->bytes -= line->queue.front()->size();
            line->queue.pop_front();
            ++line->taken;
            ++counters_.dropped;
        }
        line->changed.notify_all();
    }
    return {};
}

Result<std::unique_ptr<port::Subscription>> PushBus::subscribe(std::string, Handler) {
    return make_error(Errc::unsupported, "a push leads to gateways only");
}

asio::awaitable<void> PushBus::push(Line& line) {
    Duration backoff = kBackoffFirst;
    while (!tasks_.cancelled()) {
        if (line.queue.empty()) {
            co_await line.changed.wait();
            continue;
        }
        const std::uint64_t number = line.taken;
        std::string body = *line.queue.front();
        const Result<void> sent = co_await send(line.address, std::move(body));
        const bool is_certain = sent || sent.error().code == Errc::invalid_argument;
        if (!is_certain) {
            ++counters_.failed;
            if (std::exchange(line.reachable, false))
                logger_.warning("push_failed",
                                {{"to", line.address}, {"reason", sent.error().message}});
            const TimePoint next = clock_.now() + backoff;
            co_await clock_.wait_until(next);
            backoff = std::min(backoff * 2, limits_.backoff_max);
            continue;
        }
        if (!sent) {
            ++counters_.refused;
            logger_.error("push_refused", {{"by", line.address}, {"reason", sent.error().message}});
        } else {
            ++counters_.pushed;
        }
        backoff = kBackoffFirst;
        if (!std::exchange(line.reachable, true))
            logger_.info("pushes_flow", {{"to", line.address}});
        if (line.taken != number) continue;  // the limit took it meanwhile
        line.bytes -= line.queue.front()->size();
        line.queue.pop_front();
        ++line.taken;
    }
}

asio::awaitable<Result<void>> PushBus::send(const std::string& address, std::string body) {
    port::PeerRequest request{"POST", "/v1/status"};
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::move(body);
    auto response = co_await peer_.call(address, std::move(request), limits_.call_limit);
    if (!response) co_return response.error();
    auto text = co_await port::read_all(*response->body, kAnswerMax);
    if (!text) co_return text.error();
    if (response->status >= 300) co_return wire::error_from_problem(response->status, *text);
    co_return Result<void>{};
}

asio::awaitable<void> PushBus::stop() {
    tasks_.cancel();
    for (const auto& line : lines_) line->changed.notify_all();
    co_await tasks_.join();
}

MetricSamples PushBus::metrics() const {
    return {counter("messages_total", "Messages that a gateway took", counters_.pushed),
            counter("failures_total", "Tries that failed", counters_.failed),
            counter("refused_total", "Messages that a gateway called wrong", counters_.refused),
            counter("dropped_total", "Messages dropped at the limit", counters_.dropped)};
}

}  // namespace longhaul::status_service
