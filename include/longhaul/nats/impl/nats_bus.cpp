#include "longhaul/nats/nats_bus.hpp"

#include "longhaul/crypto/random.hpp"
#include "longhaul/nats/impl/inbox.hpp"
#include "longhaul/nats/impl/nats_link.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/subject.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <fstream>
#include <map>
#include <optional>
#include <utility>

namespace longhaul::nats {
namespace {

// The subscription for answers to requests.
constexpr std::uint64_t kAnswersId = 0;
// Drops come in crowds: they are told together.
constexpr Duration kDropsGather = std::chrono::milliseconds(100);

struct Subscriber {
    std::string pattern;
    // Shared with a call in progress: a handler may end its own subscription.
    std::shared_ptr<port::Bus::Handler> handler;
    std::shared_ptr<Inbox> inbox;
    bool heard = false;   // since the watchdog last looked
    unsigned silent = 0;  // how often it looked in vain
};

struct Counters {
    std::uint64_t connects = 0;
    std::uint64_t published = 0;
    std::uint64_t refused = 0;
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;       // by full queues of subscriptions that have ended
    std::uint64_t test_dropped = 0;  // by the switch for tests
    std::uint64_t renewals = 0;
};

// Several requests whose answers are awaited together.
struct Batch {
    Batch(boost::asio::any_io_executor executor, std::size_t count)
        : changed(std::move(executor)), answers(count), missing(count) {}

    net::Notifier changed;
    std::vector<std::string> answers;
    std::size_t missing;
    std::optional<Error> failure{};
};

// A subject that matches the pattern and that nobody else publishes on.
std::string probe_subject(std::string_view pattern) {
    std::string subject;
    for (const char letter : pattern)
        if (letter == '*' || letter == '>')
            subject += "_probe";
        else
            subject += letter;
    return subject;
}

Result<void> check_file(std::string_view name, const std::string& path) {
    if (path.empty() || std::ifstream{path}.good()) return {};
    return make_error(Errc::invalid_argument, fmt::format("nats.{}: cannot read {}", name, path));
}

MetricSample sample(std::string name, std::string help, MetricType type, std::uint64_t value) {
    MetricSample made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    made.value = static_cast<double>(value);
    return made;
}

}  // namespace

struct NatsBus::State : std::enable_shared_from_this<NatsBus::State> {
    State(boost::asio::any_io_executor executor_in, port::Clock& clock_in, Logger logger_in,
          NatsOptions options_in)
        : executor(std::move(executor_in)),
          clock(clock_in),
          logger(std::move(logger_in)),
          options(std::move(options_in)),
          answers_prefix("_INBOX." + crypto::random_hex(12) + "."),
          loops(executor, logger),
          changed(executor),
          drop_state(options.test_drop_seed) {}

    // --- What the link tells, posted. ---
    [[nodiscard]] LinkEvents make_events();
    void went_up(const std::string& url, std::uint64_t bytes_max);
    void went_down(const std::string& why);
    void connect_failed(const std::string& why);

    void add(std::uint64_t id, std::string pattern, port::Bus::Handler handler);
    void remove(std::uint64_t id);
    void receive(std::uint64_t id, const Incoming& message, std::uint64_t dropped);
    void answer(const Incoming& message);
    [[nodiscard]] bool drops_for_test();
    void resynchronise();
    boost::asio::awaitable<void> resynchronise_soon();
    boost::asio::awaitable<void> watch();
    void look_at_subscriptions();
    void fail_requests(const Error& why);
    void begin_close();

    const boost::asio::any_io_executor executor;
    port::Clock& clock;
    Logger logger;
    const NatsOptions options;
    const std::string answers_prefix;
    net::TaskGroup loops;
    net::Notifier changed;  // the link has ended
    std::unique_ptr<NatsLink> link;

    std::map<std::uint64_t, Subscriber> subscribers;
    std::uint64_t next_id = kAnswersId + 1;
    std::map<std::uint64_t, std::pair<std::shared_ptr<Batch>, std::size_t>> requests;
    std::uint64_t next_request = 1;
    std::vector<std::function<void()>> observers;

    bool is_connected = false;
    bool trouble_told = false;  // that no server can be reached is logged once
    bool resync_due = false;
    bool closing = false;
    bool link_ended = false;
    std::uint64_t payload_max = 0;
    std::uint64_t drop_state;
    Counters counters;
};

LinkEvents NatsBus::State::make_events() {
    // Weak: an event on its way must not keep alive what was closed.
    const auto post = [weak = weak_from_this(), to = executor](auto what) {
        boost::asio::post(to, [weak, what = std::move(what)] {
            if (const auto self = weak.lock()) what(*self);
        });
    };
    LinkEvents events;
    events.up = [post](std::string url, std::uint64_t bytes_max) {
        post([url = std::move(url), bytes_max](State& self) { self.went_up(url, bytes_max); });
    };
    events.down = [post](std::string why) {
        post([why = std::move(why)](State& self) { self.went_down(why); });
    };
    events.failed = [post](std::string why) {
        post([why = std::move(why)](State& self) { self.connect_failed(why); });
    };
    events.missed = [post] { post([](State& self) { self.resynchronise(); }); };
    events.ended = [post] {
        post([](State& self) {
            self.link_ended = true;
            self.changed.notify_all();
        });
    };
    return events;
}

void NatsBus::State::went_up(const std::string& url, std::uint64_t bytes_max) {
    if (closing) return;
    ++counters.connects;
    is_connected = true;
    trouble_told = false;
    payload_max = bytes_max;
    for (auto& [id, subscriber] : subscribers) subscriber.silent = 0;
    logger.info("nats_connected", {{"url", url}, {"connects", counters.connects}});
    resynchronise();
}

void NatsBus::State::went_down(const std::string& why) {
    if (closing) return;
    is_connected = false;
    logger.warning("nats_lost", {{"why", why}});
    fail_requests(make_error(Errc::unavailable, "the connection to NATS was lost: " + why));
}

void NatsBus::State::connect_failed(const std::string& why) {
    if (std::exchange(trouble_told, true) || closing) return;
    logger.warning("nats_unreachable",
                   {{"urls", shown_urls(options)}, {"why", why}, {"then", "tries for ever"}});
}

void NatsBus::State::add(std::uint64_t id, std::string pattern, port::Bus::Handler handler) {
    // After Inbox::close() nothing is delivered, so `this` is there whenever it is called.
    const InboxLimits limits{options.pending_max,
                             static_cast<std::size_t>(options.pending_bytes_max)};
    auto inbox = std::make_shared<Inbox>(
        executor, limits, [this, id](const Incoming& message, std::uint64_t dropped) {
            receive(id, message, dropped);
        });
    subscribers.emplace(id,
                        Subscriber{pattern, std::make_shared<Handler>(std::move(handler)), inbox});
    if (link) link->subscribe(id, std::move(pattern), std::move(inbox));
}

void NatsBus::State::remove(std::uint64_t id) {
    const auto found = subscribers.find(id);
    if (found == subscribers.end()) return;
    found->second.inbox->close();
    counters.dropped += found->second.inbox->dropped();
    subscribers.erase(found);
    if (link && !closing) link->unsubscribe(id);
}

void NatsBus::State::receive(std::uint64_t id, const Incoming& message, std::uint64_t dropped) {
    const auto found = subscribers.find(id);
    if (found == subscribers.end()) return;
    found->second.heard = true;
    if (dropped > 0 && !std::exchange(resync_due, true))
        loops.start("resynchronise", resynchronise_soon());
    if (message.is_probe) return;
    ++counters.received;
    if (id == kAnswersId) return answer(message);
    if (drops_for_test()) {
        ++counters.test_dropped;
        return;
    }
    const auto handler = found->second.handler;
    (*handler)(message.subject, message.payload);
}

void NatsBus::State::answer(const Incoming& message) {
    std::uint64_t token = 0;
    for (const char digit : std::string_view(message.subject).substr(answers_prefix.size()))
        token = token * 10 + static_cast<std::uint64_t>(digit - '0');
    const auto found = requests.find(token);
    if (found == requests.end()) return;  // it came too late
    const auto [batch, index] = found->second;
    requests.erase(found);
    if (message.no_responders && !batch->failure)
        batch->failure = make_error(Errc::unavailable, "nobody answers on this subject of NATS");
    batch->answers[index] = message.payload;
    --batch->missing;
    if (batch->missing == 0 || batch->failure) batch->changed.notify_all();
}

// splitmix64: the same seed loses the same messages.
bool NatsBus::State::drops_for_test() {
    if (options.test_drop_percent == 0) return false;
    drop_state += 0x9e3779b97f4a7c15ull;
    std::uint64_t mixed = drop_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return (mixed ^ (mixed >> 31)) % 100 < options.test_drop_percent;
}

void NatsBus::State::resynchronise() {
    if (closing) return;
    for (const auto& observer : observers) observer();
}

boost::asio::awaitable<void> NatsBus::State::resynchronise_soon() {
    const TimePoint until = clock.now() + kDropsGather;
    co_await clock.wait_until(until);
    resync_due = false;
    logger.warning("nats_dropped", {{"why", "nats.pending_max or nats.pending_bytes_max"}});
    resynchronise();
}

boost::asio::awaitable<void> NatsBus::State::watch() {
    while (!closing) {
        const TimePoint next = clock.now() + options.watchdog_interval;
        co_await clock.wait_until(next);
        if (is_connected && !closing) look_at_subscriptions();
    }
}

void NatsBus::State::look_at_subscriptions() {
    for (auto& [id, subscriber] : subscribers) {
        if (std::exchange(subscriber.heard, false)) {
            subscriber.silent = 0;
            continue;
        }
        ++subscriber.silent;
        if (subscriber.silent == 2) {
            ++counters.renewals;
            logger.warning("nats_subscription_renewed", {{"pattern", subscriber.pattern}});
            link->renew(id);
        } else if (subscriber.silent > 2) {
            link->reconnect("the subscription to " + subscriber.pattern + " stays silent");
            return;
        }
        NatsMessage probe{probe_subject(subscriber.pattern)};
        probe.headers.emplace_back(kProbeHeader, "1");
        (void)link->publish(std::move(probe));  // refused: then the next look sends another
    }
}

void NatsBus::State::fail_requests(const Error& why) {
    for (auto& [token, request] : std::exchange(requests, {})) {
        request.first->failure = why;
        request.first->changed.notify_all();
    }
}

void NatsBus::State::begin_close() {
    closing = true;
    is_connected = false;
    fail_requests(make_error(Errc::cancelled, "the connection to NATS is being closed"));
    for (auto& [id, subscriber] : subscribers) subscriber.inbox->close();
    loops.cancel();
}

NatsBus::NatsBus(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
                 NatsOptions options)
    : state_(std::make_shared<State>(std::move(executor), clock, std::move(logger),
                                     std::move(options))) {
    state_->add(kAnswersId, state_->answers_prefix + "*", {});
}

NatsBus::~NatsBus() {
    if (!state_->closing) state_->begin_close();  // never opened
}

Result<void> NatsBus::open() {
    const NatsOptions& options = state_->options;
    if (options.urls.empty())
        return make_error(Errc::invalid_argument, "nats.urls: names no server");
    const std::pair<std::string_view, const std::string*> files[] = {
        {"creds_file", &options.creds_file},
        {"tls_ca", &options.tls_ca},
        {"tls_cert", &options.tls_cert},
        {"tls_key", &options.tls_key}};
    for (const auto& [name, path] : files)
        if (auto readable = check_file(name, *path); !readable) return readable;
    state_->link = std::make_unique<NatsLink>(options, state_->make_events());
    for (const auto& [id, subscriber] : state_->subscribers)
        state_->link->subscribe(id, subscriber.pattern, subscriber.inbox);
    state_->link->start();
    state_->loops.start("watchdog", state_->watch());
    return {};
}

void NatsBus::on_reconnected(std::function<void()> observer) {
    state_->observers.push_back(std::move(observer));
}

Result<void> NatsBus::publish(std::string subject, std::string payload) {
    return send(NatsMessage{std::move(subject), std::move(payload)});
}

Result<void> NatsBus::send(NatsMessage message) {
    State& state = *state_;
    const auto refuse = [&state](Errc code, std::string why) {
        ++state.counters.refused;
        return make_error(code, std::move(why));
    };
    if (!system::is_subject(message.subject))
        return refuse(Errc::invalid_argument, fmt::format("'{}' is no subject", message.subject));
    if (!state.is_connected) return refuse(Errc::unavailable, "NATS is not connected");
    if (message.payload.size() > state.payload_max)
        return refuse(Errc::too_large,
                      fmt::format("a message of {} bytes is over the server's limit of {}",
                                  message.payload.size(), state.payload_max));
    auto taken = state.link->publish(std::move(message));
    ++(taken ? state.counters.published : state.counters.refused);
    return taken;
}

Result<std::unique_ptr<port::Subscription>> NatsBus::subscribe(std::string pattern,
                                                               Handler handler) {
    class NatsSubscription final : public port::Subscription {
    public:
        NatsSubscription(std::shared_ptr<State> state, std::uint64_t id)
            : state_(std::move(state)), id_(id) {}
        ~NatsSubscription() override { state_->remove(id_); }

    private:
        const std::shared_ptr<State> state_;  // shared: may outlive the bus
        const std::uint64_t id_;
    };

    if (!system::is_pattern(pattern))
        return make_error(Errc::invalid_argument,
                          fmt::format("'{}' is no pattern of subjects", pattern));
    const std::uint64_t id = state_->next_id++;
    state_->add(id, std::move(pattern), std::move(handler));
    return std::unique_ptr<port::Subscription>{std::make_unique<NatsSubscription>(state_, id)};
}

boost::asio::awaitable<Result<std::vector<std::string>>> NatsBus::request_all(
    std::vector<NatsMessage> messages, Duration limit) {
    // Forgets what was asked, however this ends.
    struct Asked {
        State& state;
        std::uint64_t first;
        std::uint64_t end;
        ~Asked() {
            for (std::uint64_t token = first; token < end; ++token) state.requests.erase(token);
        }
    };
    const auto state = state_;
    if (!state->is_connected) co_return make_error(Errc::unavailable, "NATS is not connected");
    const auto batch = std::make_shared<Batch>(state->executor, messages.size());
    Asked asked{*state, state->next_request, state->next_request};
    for (std::size_t index = 0; index < messages.size(); ++index) {
        const std::uint64_t token = state->next_request++;
        asked.end = state->next_request;
        state->requests.emplace(token, std::pair(batch, index));
        if (messages[index].payload.size() > state->payload_max)
            co_return make_error(Errc::too_large, "a request is over the server's limit");
        messages[index].reply = state->answers_prefix + std::to_string(token);
        auto taken = state->link->publish(std::move(messages[index]));
        if (!taken) co_return taken.error();
        ++state->counters.published;
    }
    const TimePoint until = state->clock.now() + limit;
    while (batch->missing > 0 && !batch->failure) {
        const bool notified = co_await batch->changed.wait_until(state->clock, until);
        if (!notified && state->clock.now() >= until) break;
    }
    if (batch->failure) co_return *batch->failure;
    if (batch->missing > 0)
        co_return make_error(Errc::timed_out,
                             fmt::format("{} of {} requests over NATS got no answer after {}",
                                         batch->missing, messages.size(), format_duration(limit)));
    co_return std::move(batch->answers);
}

boost::asio::awaitable<Result<void>> NatsBus::flush(Duration limit) {
    // A message to ourselves takes the same way, behind what went before.
    std::vector<NatsMessage> messages;
    messages.push_back(NatsMessage{state_->answers_prefix + std::to_string(state_->next_request)});
    auto answered = co_await request_all(std::move(messages), limit);
    if (!answered) co_return answered.error();
    co_return Result<void>{};
}

boost::asio::awaitable<void> NatsBus::close() {
    const auto state = state_;
    if (state->closing) co_return;
    state->begin_close();
    co_await state->loops.join();
    if (!state->link) co_return;
    state->link->stop();
    while (!state->link_ended) co_await state->changed.wait();
    state->link->join();
}

bool NatsBus::connected() const { return state_->is_connected; }

MetricSamples NatsBus::metrics() const {
    const State& state = *state_;
    const Counters& counters = state.counters;
    const LinkCounters link = state.link ? state.link->counters() : LinkCounters{};
    std::uint64_t dropped = counters.dropped;
    for (const auto& [id, subscriber] : state.subscribers) dropped += subscriber.inbox->dropped();
    const auto counter = [](std::string name, std::string help, std::uint64_t value) {
        return sample(std::move(name), std::move(help), MetricType::counter, value);
    };
    MetricSamples samples{
        sample("longhaul_nats_connected", "1 while there is a connection to NATS",
               MetricType::gauge, state.is_connected ? 1 : 0),
        counter("longhaul_nats_connects_total", "Connections made to NATS", counters.connects),
        counter("longhaul_nats_published_total", "Messages taken for NATS", counters.published),
        counter("longhaul_nats_refused_total", "Messages refused, as NATS was away or full",
                counters.refused),
        counter("longhaul_nats_received_total", "Messages received", counters.received),
        counter("longhaul_nats_renewals_total", "Silent subscriptions renewed", counters.renewals),
        counter("longhaul_nats_errors_total", "Errors that client or server told", link.errors),
    };
    const std::pair<const char*, std::uint64_t> drops[] = {
        {"queue", dropped}, {"connection", link.lost}, {"test", counters.test_dropped}};
    for (const auto& [why, count] : drops) {
        samples.push_back(counter("longhaul_nats_dropped_total", "Messages lost, by why", count));
        samples.back().labels.emplace_back("why", why);
    }
    return samples;
}

}  // namespace longhaul::nats
