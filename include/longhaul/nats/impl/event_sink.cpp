#include "longhaul/nats/event_sink.hpp"

#include "longhaul/wire/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace longhaul::nats {
namespace {

using namespace std::chrono_literals;
using wire::Json;

constexpr std::string_view kSubjects = "longhaul.v1.events.>";
constexpr std::int64_t kNotFound = 404;

NatsMessage message_of(port::OutgoingEvent event, const std::string& stream) {
    NatsMessage message;
    message.subject = std::move(event.subject);
    message.payload = std::move(event.body);
    message.headers.emplace_back("Nats-Msg-Id", std::move(event.id));
    message.headers.emplace_back("Content-Type", "application/cloudevents+json");
    if (!stream.empty()) message.headers.emplace_back("Nats-Expected-Stream", stream);
    return message;
}

// The answer of JetStream's API as JSON; its error is an error here, `code` its number.
Result<Json> read_answer(std::string_view answer, std::int64_t& code) {
    auto parsed = wire::parse_json(answer);
    if (!parsed) return parsed.error();
    const Json* error = parsed->find("error");
    if (!error) return parsed;
    const Json& number = (*error)["code"];
    const Json& text = (*error)["description"];
    code = number.as_integer() ? *number.as_integer() : 0;
    return make_error(Errc::refused,
                      "JetStream: " + (text.as_string() ? *text.as_string() : std::string(answer)));
}

std::int64_t nanoseconds(Duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

std::string stream_config(const EventSinkOptions& options) {
    Json subjects = Json::array();
    subjects.push(kSubjects);
    return Json::object()
        .set("name", options.stream)
        .set("subjects", std::move(subjects))
        .set("retention", "limits")
        .set("discard", "old")
        .set("storage", "file")
        .set("max_consumers", -1)
        .set("max_msgs", -1)
        .set("max_bytes", options.max_bytes)
        .set("max_age", nanoseconds(options.max_age))
        .set("num_replicas", options.replicas)
        .set("duplicate_window", nanoseconds(options.duplicate_window))
        .dump();
}

bool is_stream_name(std::string_view name) {
    return std::ranges::all_of(name, [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
    });
}

}  // namespace

void read_event_sink_options(ConfigReader& reader, EventSinkOptions& options,
                             std::string_view prefix) {
    const std::string section = std::string(prefix) + ".";
    reader.text(section + "stream", options.stream);
    if (!is_stream_name(options.stream))
        reader.problem(section + "stream", "may have letters, digits, '_' and '-' only");
    reader.boolean(section + "create_stream", options.create_stream);
    if (options.create_stream && options.stream.empty())
        reader.problem(section + "create_stream", "needs a name in " + section + "stream");
    reader.duration(section + "stream_max_age", options.max_age, 1min, 24h * 3650);
    reader.bytes(section + "stream_max_bytes", options.max_bytes, 1u << 20, 1ull << 50);
    reader.integer(section + "stream_replicas", options.replicas, 1, 5, "servers");
    reader.duration(section + "stream_duplicate_window", options.duplicate_window, 1s, 24h);
    if (options.duplicate_window > options.max_age)
        reader.problem(section + "stream_duplicate_window", "must not be more than stream_max_age");
    reader.duration(section + "publish_timeout", options.publish_timeout, 100ms, 5min);
}

NatsEventSink::NatsEventSink(NatsBus& bus, port::Clock& clock, Logger logger,
                             EventSinkOptions options)
    : bus_(bus), clock_(clock), logger_(std::move(logger)), options_(std::move(options)) {}

Duration NatsEventSink::left(TimePoint until) const {
    return std::max<Duration>(until - clock_.now(), 1ms);
}

boost::asio::awaitable<Result<void>> NatsEventSink::publish(
    std::vector<port::OutgoingEvent> events) {
    const TimePoint until = clock_.now() + options_.publish_timeout;
    if (options_.stream.empty()) {
        auto sent = co_await publish_plain(std::move(events), until);
        co_return sent;
    }
    auto stored = co_await publish_stored(std::move(events), until);
    if (!stored) stream_is_there_ = false;  // look again before the next try
    co_return stored;
}

boost::asio::awaitable<Result<void>> NatsEventSink::publish_plain(
    std::vector<port::OutgoingEvent> events, TimePoint until) {
    for (port::OutgoingEvent& event : events) {
        NatsMessage message = message_of(std::move(event), {});
        if (auto taken = bus_.send(std::move(message)); !taken) co_return taken.error();
    }
    const Duration limit = left(until);
    auto flushed = co_await bus_.flush(limit);
    co_return flushed;
}

// In waves with no two events of one invocation: where the server refuses one, no later event of
// the same invocation is in the stream before it.
boost::asio::awaitable<Result<void>> NatsEventSink::publish_stored(
    std::vector<port::OutgoingEvent> events, TimePoint until) {
    if (!stream_is_there_) {
        auto there = co_await ensure_stream(until);
        if (!there) co_return there.error();
    }
    std::vector<NatsMessage> wave;
    std::set<std::string> in_wave;
    for (port::OutgoingEvent& event : events) {
        if (!in_wave.insert(event.order).second) {
            auto stored = co_await store_wave(std::exchange(wave, {}), until);
            if (!stored) co_return stored.error();
            in_wave = {event.order};
        }
        wave.push_back(message_of(std::move(event), options_.stream));
    }
    auto stored = co_await store_wave(std::move(wave), until);
    co_return stored;
}

boost::asio::awaitable<Result<void>> NatsEventSink::store_wave(std::vector<NatsMessage> wave,
                                                               TimePoint until) {
    if (wave.empty()) co_return Result<void>{};
    const Duration limit = left(until);
    auto answers = co_await bus_.request_all(std::move(wave), limit);
    if (!answers) co_return answers.error();
    for (const std::string& answer : *answers) {
        std::int64_t code = 0;
        if (auto stored = read_answer(answer, code); !stored) co_return stored.error();
    }
    co_return Result<void>{};
}

boost::asio::awaitable<Result<void>> NatsEventSink::ensure_stream(TimePoint until) {
    const auto ask = [this](const char* what, std::string body) {
        NatsMessage question{fmt::format("$JS.API.STREAM.{}.{}", what, options_.stream)};
        question.payload = std::move(body);
        return std::vector<NatsMessage>{std::move(question)};
    };
    std::vector<NatsMessage> question = ask("INFO", {});
    Duration limit = left(until);
    auto answers = co_await bus_.request_all(std::move(question), limit);
    if (!answers)
        co_return make_error(answers.error().code, "JetStream: " + answers.error().message);
    std::int64_t code = 0;
    auto known = read_answer(answers->front(), code);
    if (known) {
        stream_is_there_ = true;
        co_return Result<void>{};
    }
    if (code != kNotFound) co_return known.error();
    if (!options_.create_stream)
        co_return make_error(Errc::unavailable, "there is no stream " + options_.stream +
                                                    ", and events.create_stream is off");
    question = ask("CREATE", stream_config(options_));
    limit = left(until);
    answers = co_await bus_.request_all(std::move(question), limit);
    if (!answers) co_return answers.error();
    auto made = read_answer(answers->front(), code);
    if (!made) co_return made.error();
    logger_.info("event_stream_created", {{"stream", options_.stream}});
    stream_is_there_ = true;
    co_return Result<void>{};
}

}  // namespace longhaul::nats
