#include "tests/unit/gateway/record_maker.hpp"

#include <functional>
#include <tuple>

namespace longhaul::test {
namespace {

std::string random_text(SeededRandom& random) {
    std::string text(random.chance(0.05) ? random.below(300) : random.below(12), '\0');
    for (char& byte : text) byte = static_cast<char>(random.next());
    return text;
}

TimePoint random_time(SeededRandom& random) {
    return TimePoint{Duration{static_cast<std::int64_t>(random.next())}};
}

Duration random_duration(SeededRandom& random) {
    return Duration{static_cast<std::int64_t>(random.next() >> random.below(64))};
}

std::uint64_t random_number(SeededRandom& random) { return random.next() >> random.below(64); }

std::uint32_t random_number32(SeededRandom& random) {
    return static_cast<std::uint32_t>(random.next() >> (32 + random.below(32)));
}

double random_real(SeededRandom& random) {
    return static_cast<double>(random.next()) / static_cast<double>(1 + random.below(1000));
}

template <class Enum>
Enum random_choice(SeededRandom& random, Enum first, Enum last) {
    const auto low = static_cast<std::uint64_t>(first);
    return static_cast<Enum>(low + random.below(static_cast<std::uint64_t>(last) - low + 1));
}

template <class Make>
auto maybe(SeededRandom& random, Make make) -> std::optional<decltype(make(random))> {
    if (random.chance(0.5)) return std::nullopt;
    return make(random);
}

int random_int(SeededRandom& random) { return static_cast<int>(random.next()); }

std::vector<std::pair<std::string, std::string>> random_pairs(SeededRandom& random) {
    std::vector<std::pair<std::string, std::string>> pairs(random.below(4));
    for (auto& [key, value] : pairs) key = random_text(random), value = random_text(random);
    return pairs;
}

StageTrace random_trace(SeededRandom& random) {
    StageTrace trace(random.below(4));
    for (auto& [stage, ms] : trace) stage = random_text(random), ms = random_real(random);
    return trace;
}

AttemptOutcome random_outcome(SeededRandom& random) {
    return random_choice(random, AttemptOutcome::succeeded, AttemptOutcome::route_error);
}

State random_state(SeededRandom& random) {
    return random_choice(random, State::scheduled, State::expired);
}

FailureReason random_reason(SeededRandom& random) {
    return random_choice(random, FailureReason::error, FailureReason::queue_ttl);
}

Content random_content(SeededRandom& random) {
    return {.content_type = random_text(random),
            .inline_bytes = random_text(random),
            .file = random_text(random),
            .size = random_number(random),
            .sha256 = random_text(random)};
}

Usage random_usage(SeededRandom& random) { return {random_real(random), random_number(random)}; }

Attempt random_attempt(SeededRandom& random) {
    return {.number = random_number32(random),
            .token = {random_text(random)},
            .host = {random_text(random)},
            .host_address = random_text(random),
            .instance = {random_text(random)},
            .dispatched_at = random_time(random),
            .started_at = maybe(random, random_time),
            .ended_at = maybe(random, random_time),
            .fenced = random.chance(0.5),
            .outcome = maybe(random, random_outcome),
            .http_status = maybe(random, random_int),
            .exit_code = maybe(random, random_int),
            .signal = maybe(random, random_int),
            .usage = random_usage(random),
            .trace = random_trace(random),
            .reason = maybe(random, random_reason),
            .message = random_text(random)};
}

Stop random_stop(SeededRandom& random) {
    return {.cause = random_choice(random, StopCause::none, StopCause::kill),
            .by = random_text(random),
            .reason = random_text(random),
            .grace = random_duration(random),
            .at = random_time(random),
            .sigkill_sent = random.chance(0.5),
            .confirmed = random.chance(0.5)};
}

Failure random_failure(SeededRandom& random) {
    return {.reason = random_choice(random, FailureReason::error, FailureReason::queue_ttl),
            .fault = random_choice(random, Fault::function, Fault::caller),
            .message = random_text(random),
            .type = random_text(random),
            .exit_code = maybe(random, random_int),
            .signal = maybe(random, random_int),
            .evidence = random_text(random)};
}

Change random_change(SeededRandom& random) {
    return {.id = {random_text(random)},
            .revision = random_number32(random),
            .at = random_time(random),
            .state = random_state(random)};
}

AttemptEnd random_end(SeededRandom& random) {
    return {.attempt = random_number32(random),
            .outcome = random_outcome(random),
            .instance = {random_text(random)},
            .started_at = maybe(random, random_time),
            .http_status = maybe(random, random_int),
            .exit_code = maybe(random, random_int),
            .signal = maybe(random, random_int),
            .usage = random_usage(random),
            .trace = random_trace(random),
            .reason = maybe(random, random_reason),
            .message = random_text(random)};
}

FunctionSpec sample_function() {
    return {.name = {"resize"},
            .version = {"sha256:aa"},
            .package = {"sha256:bb"},
            .runtime = "python",
            .mode = FunctionMode::handler,
            .handler = "app.main",
            .command = {"a", "b"},
            .env = {{"K", "V"}}};
}

Attempt sample_attempt() {
    return {.number = 1,
            .token = {"t1"},
            .host = {"h1"},
            .host_address = "127.0.0.1:7090",
            .instance = {"i1"},
            .dispatched_at = kSampleTime,
            .trace = {{"route", 0.5}}};
}

Content sample_content() {
    return {.content_type = "text/plain", .inline_bytes = "hello", .size = 5, .sha256 = "cc"};
}

Invocation sample_invocation() {
    Invocation invocation;
    invocation.id = {"0198-a"};
    invocation.tenant = {"default"};
    invocation.function = std::make_shared<FunctionSpec>(sample_function());
    invocation.body = sample_content();
    invocation.options = {.timeout = std::chrono::seconds(90),
                          .labels = {{"team", "red"}},
                          .traceparent = "00-1",
                          .idempotency_key = "k",
                          .fingerprint = "dd"};
    invocation.created_at = kSampleTime;
    invocation.queue_ttl_at = kSampleTime + std::chrono::hours(24);
    invocation.deadline = kSampleTime + std::chrono::hours(25);
    invocation.state = State::dispatching;
    invocation.attempts = {sample_attempt()};
    return invocation;
}

Change sample_change(std::uint32_t revision, State state) {
    return {.id = {"0198-a"}, .revision = revision, .at = kSampleTime, .state = state};
}

AttemptEnd sample_end(AttemptOutcome outcome) {
    return {.attempt = 1,
            .outcome = outcome,
            .instance = {"i1"},
            .started_at = kSampleTime,
            .exit_code = 1,
            .usage = {1.5, 4096},
            .trace = {{"load", 2.0}}};
}

}  // namespace

std::vector<Record> sample_records() {
    const TenantName tenant{"default"};
    const FunctionName name{"resize"};
    const Stop stop{.cause = StopCause::cancel,
                    .by = "api",
                    .reason = "typo",
                    .grace = std::chrono::seconds(30),
                    .at = kSampleTime,
                    .sigkill_sent = true,
                    .confirmed = true};
    const Failure failure{.reason = FailureReason::exit,
                          .fault = Fault::function,
                          .message = "exit code 1",
                          .type = "ValueError",
                          .exit_code = 1,
                          .signal = -1,
                          .evidence = "log"};
    return {
        OwnerTermRecord{.shard = 5, .term = 300},
        FunctionPutRecord{tenant, std::make_shared<FunctionSpec>(sample_function()), kSampleTime},
        FunctionDeletedRecord{tenant, name, kSampleTime},
        LimitsPutRecord{{.global_max = 1000, .tenant_max = 7}},
        QueuePausedRecord{tenant, name, true},
        AcceptedRecord{sample_invocation()},
        DispatchingRecord{sample_change(2, State::dispatching), sample_attempt(), 3},
        StartedRecord{sample_change(3, State::running), 1, {"i1"}, {{"load", 2.0}}},
        RequeuedRecord{sample_change(4, State::queued), 2},
        StopIntentRecord{sample_change(5, State::stopping), stop},
        FencedRecord{sample_change(6, State::running), 1},
        AttemptEndedRecord{sample_change(7, State::retrying), sample_end(AttemptOutcome::failed)},
        TerminalRecord{sample_change(8, State::failed), sample_end(AttemptOutcome::failed),
                       sample_content(), failure, stop},
        PurgedRecord{{"0198-a"}, kSampleTime},
        PatchedRecord{sample_change(9, State::scheduled),
                      5,
                      kSampleTime + std::chrono::hours(3),
                      true,
                      kSampleTime + std::chrono::hours(1),
                      kSampleTime + std::chrono::hours(1),
                      kSampleTime + std::chrono::hours(2),
                      {{"team", "blue"}}},
    };
}

FunctionSpec random_function(SeededRandom& random) {
    FunctionSpec spec;
    spec.name = {random_text(random)};
    spec.version = {random_text(random)};
    spec.package = {random_text(random)};
    spec.runtime = random_text(random);
    spec.mode = random_choice(random, FunctionMode::handler, FunctionMode::exec);
    spec.handler = random_text(random);
    spec.command.resize(random.below(4));
    for (std::string& word : spec.command) word = random_text(random);
    spec.env = random_pairs(random);
    for (auto* number : {&spec.max_running, &spec.max_queued, &spec.memory_mb, &spec.cpu_millis})
        *number = random_number32(random);
    for (auto* span : {&spec.timeout, &spec.load_timeout, &spec.queue_ttl, &spec.cancel_grace,
                       &spec.timeout_grace, &spec.kill_grace, &spec.keep_alive})
        *span = random_duration(random);
    spec.max_queued_bytes = random_number(random);
    spec.key_max_running = random_number32(random);
    spec.concurrency = random_number32(random);
    spec.body_max = random_number(random);
    spec.result_max = random_number(random);
    spec.result_is_file = random.chance(0.5);
    spec.http = {random_text(random), random_text(random)};
    spec.retry = {.max_attempts = random_number32(random),
                  .backoff = random_duration(random),
                  .backoff_max = random_duration(random),
                  .multiplier = random_real(random),
                  .jitter = random_real(random),
                  .on = random_number32(random),
                  .budget_ratio = random_real(random),
                  .budget_per_minute = random_number32(random)};
    spec.heartbeat_timeout = random_duration(random);
    return spec;
}

Invocation random_invocation(SeededRandom& random) {
    Invocation invocation;
    invocation.id = {random_text(random)};
    invocation.tenant = {random_text(random)};
    invocation.function = std::make_shared<FunctionSpec>(random_function(random));
    invocation.body = random_content(random);
    invocation.options = {.timeout = maybe(random, random_duration),
                          .queue_ttl = maybe(random, random_duration),
                          .deadline = maybe(random, random_time),
                          .labels = random_pairs(random),
                          .traceparent = random_text(random),
                          .headers = random_pairs(random),
                          .idempotency_key = random_text(random),
                          .concurrency_key = random_text(random),
                          .priority = static_cast<std::uint8_t>(random.below(8)),
                          .not_before = maybe(random, random_time),
                          .retry_max_attempts = maybe(random, random_number32),
                          .retry_backoff = maybe(random, random_duration),
                          .fingerprint = random_text(random)};
    invocation.due_at = maybe(random, random_time);
    invocation.created_at = random_time(random);
    invocation.queue_ttl_at = random_time(random);
    invocation.deadline = random_time(random);
    invocation.deadline_is_explicit = random.chance(0.5);
    if (random.chance(0.5)) invocation.retry_of = InvocationId{random_text(random)};
    invocation.state = random_state(random);
    invocation.revision = random_number32(random);
    for (std::uint64_t left = random.below(4); left > 0; --left)
        invocation.attempts.push_back(random_attempt(random));
    invocation.route_tries = random_number32(random);
    invocation.started_at = maybe(random, random_time);
    invocation.ended_at = maybe(random, random_time);
    invocation.stop = random_stop(random);
    invocation.result = maybe(random, random_content);
    invocation.failure = maybe(random, random_failure);
    return invocation;
}

Record random_record(SeededRandom& random) {
    const TenantName tenant{random_text(random)};
    const FunctionName name{random_text(random)};
    const auto change = [&random] { return random_change(random); };
    switch (random_choice(random, RecordKind::owner_term, RecordKind::patched)) {
    case RecordKind::owner_term:
        return OwnerTermRecord{static_cast<Shard>(random.next()), random_number(random)};
    case RecordKind::function_put:
        return FunctionPutRecord{tenant, std::make_shared<FunctionSpec>(random_function(random)),
                                 random_time(random)};
    case RecordKind::function_deleted:
        return FunctionDeletedRecord{tenant, name, random_time(random)};
    case RecordKind::limits_put:
        return LimitsPutRecord{{random_number32(random), random_number32(random)}};
    case RecordKind::queue_paused: return QueuePausedRecord{tenant, name, random.chance(0.5)};
    case RecordKind::accepted: return AcceptedRecord{random_invocation(random)};
    case RecordKind::dispatching:
        return DispatchingRecord{change(), random_attempt(random), random_number32(random)};
    case RecordKind::started:
        return StartedRecord{
            change(), random_number32(random), {random_text(random)}, random_trace(random)};
    case RecordKind::requeued: return RequeuedRecord{change(), random_number32(random)};
    case RecordKind::stop_intent: return StopIntentRecord{change(), random_stop(random)};
    case RecordKind::fenced: return FencedRecord{change(), random_number32(random)};
    case RecordKind::attempt_ended:
        return AttemptEndedRecord{change(), random_end(random), maybe(random, random_time)};
    case RecordKind::terminal:
        return TerminalRecord{change(), maybe(random, random_end), maybe(random, random_content),
                              maybe(random, random_failure), maybe(random, random_stop)};
    case RecordKind::patched:
        return PatchedRecord{change(),
                             static_cast<std::uint8_t>(random.below(8)),
                             random_time(random),
                             random.chance(0.5),
                             maybe(random, random_time),
                             maybe(random, random_time),
                             random_time(random),
                             random_pairs(random)};
    case RecordKind::purged: break;
    }
    return PurgedRecord{{random_text(random)}, random_time(random)};
}

namespace {

auto members(const Invocation& value) {
    return std::tie(value.id, value.tenant, value.body, value.options, value.created_at,
                    value.queue_ttl_at, value.deadline, value.deadline_is_explicit, value.retry_of,
                    value.state, value.revision, value.attempts, value.route_tries, value.due_at,
                    value.started_at, value.ended_at, value.stop, value.result, value.failure);
}

auto members(const Change& value) {
    return std::tie(value.id, value.revision, value.at, value.state);
}

bool agree(const OwnerTermRecord& a, const OwnerTermRecord& b) {
    return a.shard == b.shard && a.term == b.term;
}
bool agree(const FunctionPutRecord& a, const FunctionPutRecord& b) {
    return a.tenant == b.tenant && *a.function == *b.function && a.at == b.at;
}
bool agree(const FunctionDeletedRecord& a, const FunctionDeletedRecord& b) {
    return a.tenant == b.tenant && a.function == b.function && a.at == b.at;
}
bool agree(const LimitsPutRecord& a, const LimitsPutRecord& b) { return a.limits == b.limits; }
bool agree(const QueuePausedRecord& a, const QueuePausedRecord& b) {
    return a.tenant == b.tenant && a.function == b.function && a.paused == b.paused;
}
bool agree(const AcceptedRecord& a, const AcceptedRecord& b) {
    return same(a.invocation, b.invocation);
}
bool agree(const DispatchingRecord& a, const DispatchingRecord& b) {
    return a.attempt == b.attempt && a.route_tries == b.route_tries;
}
bool agree(const StartedRecord& a, const StartedRecord& b) {
    return a.attempt == b.attempt && a.instance == b.instance && a.trace == b.trace;
}
bool agree(const RequeuedRecord& a, const RequeuedRecord& b) {
    return a.route_tries == b.route_tries;
}
bool agree(const StopIntentRecord& a, const StopIntentRecord& b) { return a.stop == b.stop; }
bool agree(const FencedRecord& a, const FencedRecord& b) { return a.attempt == b.attempt; }
bool agree(const AttemptEndedRecord& a, const AttemptEndedRecord& b) {
    return a.end == b.end && a.due_at == b.due_at;
}
bool agree(const TerminalRecord& a, const TerminalRecord& b) {
    return a.end == b.end && a.result == b.result && a.failure == b.failure && a.stop == b.stop;
}
bool agree(const PurgedRecord& a, const PurgedRecord& b) { return a.id == b.id && a.at == b.at; }
bool agree(const PatchedRecord& a, const PatchedRecord& b) {
    return a.priority == b.priority && a.deadline == b.deadline &&
           a.deadline_is_explicit == b.deadline_is_explicit && a.not_before == b.not_before &&
           a.due_at == b.due_at && a.queue_ttl_at == b.queue_ttl_at && a.labels == b.labels;
}

}  // namespace

bool same(const Invocation& left, const Invocation& right) {
    return members(left) == members(right) && *left.function == *right.function;
}

bool same(const Record& left, const Record& right) {
    if (left.index() != right.index()) return false;
    const Change* before = change_of(left);
    if (before && members(*before) != members(*change_of(right))) return false;
    return std::visit(
        [&right](const auto& value) {
            return agree(value, std::get<std::decay_t<decltype(value)>>(right));
        },
        left);
}

std::string to_hex_text(const std::string& bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text += kDigits[static_cast<unsigned char>(byte) >> 4];
        text += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return text;
}

std::string from_hex_text(std::string_view text) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(value(text[i]) * 16 + value(text[i + 1]));
    return bytes;
}

}  // namespace longhaul::test
