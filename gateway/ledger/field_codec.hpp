// How each value inside a record becomes bytes: written once, for both directions.
//
// code(codec, value) lists the fields of a value in order; with a FieldWriter it writes them, with
// a FieldReader it reads them. The order and the width of fields, and the values that a choice may
// have, are a version of the format: a change needs a new one, and what it adds stands in since().
// The writer writes the newest version; the reader reads it and all before.
#pragma once

#include "gateway/ledger/bytes.hpp"
#include "longhaul/lifecycle/record.hpp"

#include <concepts>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

namespace longhaul::gateway {

// 2: mode http of functions, the caller's headers of an invocation.
// 3: priority, concurrency key, not-before and retries of an invocation; the retry policy of a
//    function, its limits on keys and queued bytes, how many runs an instance of it takes at once;
//    patched.
inline constexpr std::uint8_t kFormatVersion = 3;

class FieldWriter {
public:
    explicit FieldWriter(ByteWriter& out) : out_(out) {}

    void text(const std::string& value) { out_.text(value); }
    void boolean(bool value) { out_.u8(value ? 1 : 0); }
    void real(double value) { out_.real(value); }
    void number(std::unsigned_integral auto value) { out_.varint(value); }
    template <std::unsigned_integral Number>
    void number_to(Number value, Number) {
        out_.varint(value);
    }
    void integer(int value) { out_.signed_varint(value); }
    void duration(Duration value) { out_.signed_varint(value.count()); }
    void time(TimePoint value) {
        out_.u64(static_cast<std::uint64_t>(value.time_since_epoch().count()));
    }
    template <class Enum>
    void choice(Enum value, Enum, Enum) {
        out_.u8(static_cast<std::uint8_t>(value));
    }
    template <class T, class Each>
    void optional(const std::optional<T>& value, Each each) {
        boolean(value.has_value());
        if (value) each(*value);
    }
    template <class T, class Each>
    void list(const std::vector<T>& values, Each each) {
        out_.varint(values.size());
        for (const T& value : values) each(value);
    }
    template <class Fields>
    void since(std::uint8_t, Fields fields) {
        fields();
    }

private:
    ByteWriter& out_;
};

class FieldReader {
public:
    FieldReader(ByteReader& in, std::uint8_t version) : in_(in), version_(version) {}

    void text(std::string& value) { value = in_.text(); }
    void boolean(bool& value) {
        const std::uint8_t byte = in_.u8();
        if (byte > 1) in_.fail("a yes or no is neither");
        value = byte == 1;
    }
    void real(double& value) { value = in_.real(); }
    template <std::unsigned_integral Number>
    void number(Number& value) {
        value = static_cast<Number>(in_.varint(std::numeric_limits<Number>::max()));
    }
    template <std::unsigned_integral Number>
    void number_to(Number& value, Number max) {
        value = static_cast<Number>(in_.varint(max));
    }
    void integer(int& value) {
        const std::int64_t wide = in_.signed_varint();
        value = static_cast<int>(wide);
        if (value != wide) in_.fail("a number is out of its range");
    }
    void duration(Duration& value) { value = Duration{in_.signed_varint()}; }
    void time(TimePoint& value) {
        value = TimePoint{Duration{static_cast<std::int64_t>(in_.u64())}};
    }
    template <class Enum>
    void choice(Enum& value, Enum first, Enum last) {
        const std::uint8_t byte = in_.u8();
        if (byte < static_cast<std::uint8_t>(first) || byte > static_cast<std::uint8_t>(last))
            in_.fail("a choice is none that this version knows");
        else
            value = static_cast<Enum>(byte);
    }
    template <class T, class Each>
    void optional(std::optional<T>& value, Each each) {
        bool is_set = false;
        boolean(is_set);
        if (is_set) each(value.emplace());
    }
    // Grows item by item: a count that lies costs no memory before the bytes run out.
    template <class T, class Each>
    void list(std::vector<T>& values, Each each) {
        const std::size_t count = in_.count();
        for (std::size_t i = 0; i < count && !in_.failed(); ++i) each(values.emplace_back());
    }
    // Fields that a version added: bytes of an earlier one do not have them.
    template <class Fields>
    void since(std::uint8_t version, Fields fields) {
        if (version_ >= version) fields();
    }

private:
    ByteReader& in_;
    const std::uint8_t version_;
};

// T, or const T where the codec writes.
template <class T, class Value>
concept Maybe = std::same_as<std::remove_const_t<T>, Value>;

template <class Codec, class T>
void code_optional_int(Codec& codec, T& value) {
    codec.optional(value, [&codec](auto& number) { codec.integer(number); });
}

template <class Codec, class T>
void code_optional_time(Codec& codec, T& value) {
    codec.optional(value, [&codec](auto& point) { codec.time(point); });
}

template <class Codec, class T>
void code_optional_duration(Codec& codec, T& value) {
    codec.optional(value, [&codec](auto& duration) { codec.duration(duration); });
}

template <class Codec, class T>
void code_pairs(Codec& codec, T& values) {
    codec.list(values, [&codec](auto& pair) {
        codec.text(pair.first);
        codec.text(pair.second);
    });
}

template <class Codec, class T>
void code_trace(Codec& codec, T& trace) {
    codec.list(trace, [&codec](auto& stage) {
        codec.text(stage.first);
        codec.real(stage.second);
    });
}

template <class Codec>
void code_state(Codec& codec, Maybe<State> auto& value) {
    codec.choice(value, State::scheduled, State::expired);
}

template <class Codec>
void code(Codec& codec, Maybe<RetrySpec> auto& value) {
    codec.number(value.max_attempts);
    codec.duration(value.backoff);
    codec.duration(value.backoff_max);
    codec.real(value.multiplier);
    codec.real(value.jitter);
    codec.number(value.on);
    codec.real(value.budget_ratio);
    codec.number(value.budget_per_minute);
}

template <class Codec>
void code(Codec& codec, Maybe<FunctionSpec> auto& value) {
    codec.text(value.name.text);
    codec.text(value.version.text);
    codec.text(value.package.text);
    codec.text(value.runtime);
    codec.choice(value.mode, FunctionMode::handler, FunctionMode::exec);
    codec.text(value.handler);
    codec.list(value.command, [&codec](auto& word) { codec.text(word); });
    code_pairs(codec, value.env);
    codec.number(value.max_running);
    codec.number(value.max_queued);
    codec.number(value.memory_mb);
    codec.number(value.cpu_millis);
    codec.duration(value.timeout);
    codec.duration(value.load_timeout);
    codec.duration(value.queue_ttl);
    codec.duration(value.cancel_grace);
    codec.duration(value.timeout_grace);
    codec.duration(value.kill_grace);
    codec.duration(value.keep_alive);
    codec.number(value.body_max);
    codec.number(value.result_max);
    codec.boolean(value.result_is_file);
    codec.since(2, [&] {
        codec.text(value.http.path);
        codec.text(value.http.ready_path);
    });
    codec.since(3, [&] {
        codec.number(value.max_queued_bytes);
        codec.number(value.key_max_running);
        code(codec, value.retry);
        codec.duration(value.heartbeat_timeout);
        codec.number(value.concurrency);
    });
}

void code_function(FieldWriter& codec, const std::shared_ptr<const FunctionSpec>& function);
void code_function(FieldReader& codec, std::shared_ptr<const FunctionSpec>& function);

template <class Codec>
void code(Codec& codec, Maybe<Content> auto& value) {
    codec.text(value.content_type);
    codec.text(value.inline_bytes);
    codec.text(value.file);
    codec.number(value.size);
    codec.text(value.sha256);
}

template <class Codec>
void code(Codec& codec, Maybe<Usage> auto& value) {
    codec.real(value.cpu_seconds);
    codec.number(value.max_rss_bytes);
}

template <class Codec, class T>
void code_optional_outcome(Codec& codec, T& value) {
    codec.optional(value, [&codec](auto& outcome) {
        codec.choice(outcome, AttemptOutcome::succeeded, AttemptOutcome::route_error);
    });
}

template <class Codec, class T>
void code_optional_reason(Codec& codec, T& value) {
    codec.optional(value, [&codec](auto& reason) {
        codec.choice(reason, FailureReason::error, FailureReason::queue_ttl);
    });
}

// Why an attempt is tried again.
template <class Codec, class T>
void code_why(Codec& codec, T& value) {
    codec.since(3, [&] {
        code_optional_reason(codec, value.reason);
        codec.text(value.message);
    });
}

template <class Codec>
void code(Codec& codec, Maybe<Attempt> auto& value) {
    codec.number(value.number);
    codec.text(value.token.text);
    codec.text(value.host.text);
    codec.text(value.host_address);
    codec.text(value.instance.text);
    codec.time(value.dispatched_at);
    code_optional_time(codec, value.started_at);
    code_optional_time(codec, value.ended_at);
    codec.boolean(value.fenced);
    code_optional_outcome(codec, value.outcome);
    code_optional_int(codec, value.http_status);
    code_optional_int(codec, value.exit_code);
    code_optional_int(codec, value.signal);
    code(codec, value.usage);
    code_trace(codec, value.trace);
    code_why(codec, value);
}

template <class Codec>
void code(Codec& codec, Maybe<Stop> auto& value) {
    codec.choice(value.cause, StopCause::none, StopCause::kill);
    codec.text(value.by);
    codec.text(value.reason);
    codec.duration(value.grace);
    codec.time(value.at);
    codec.boolean(value.sigkill_sent);
    codec.boolean(value.confirmed);
}

template <class Codec>
void code(Codec& codec, Maybe<Failure> auto& value) {
    codec.choice(value.reason, FailureReason::error, FailureReason::queue_ttl);
    codec.choice(value.fault, Fault::function, Fault::caller);
    codec.text(value.message);
    codec.text(value.type);
    code_optional_int(codec, value.exit_code);
    code_optional_int(codec, value.signal);
    codec.text(value.evidence);
}

template <class Codec>
void code(Codec& codec, Maybe<SubmitOptions> auto& value) {
    code_optional_duration(codec, value.timeout);
    code_optional_duration(codec, value.queue_ttl);
    code_optional_time(codec, value.deadline);
    code_pairs(codec, value.labels);
    codec.text(value.traceparent);
    codec.text(value.idempotency_key);
    codec.text(value.fingerprint);
    codec.since(2, [&] { code_pairs(codec, value.headers); });
    codec.since(3, [&] {
        codec.number_to(value.priority, kPriorityLast);
        codec.text(value.concurrency_key);
        code_optional_time(codec, value.not_before);
        codec.optional(value.retry_max_attempts, [&codec](auto& max) { codec.number(max); });
        code_optional_duration(codec, value.retry_backoff);
    });
}

template <class Codec>
void code(Codec& codec, Maybe<Invocation> auto& value) {
    codec.text(value.id.text);
    codec.text(value.tenant.text);
    code_function(codec, value.function);
    code(codec, value.body);
    code(codec, value.options);
    codec.time(value.created_at);
    codec.time(value.queue_ttl_at);
    codec.time(value.deadline);
    codec.boolean(value.deadline_is_explicit);
    codec.optional(value.retry_of, [&codec](auto& id) { codec.text(id.text); });
    code_state(codec, value.state);
    codec.number(value.revision);
    codec.list(value.attempts, [&codec](auto& attempt) { code(codec, attempt); });
    codec.number(value.route_tries);
    code_optional_time(codec, value.started_at);
    code_optional_time(codec, value.ended_at);
    code(codec, value.stop);
    codec.optional(value.result, [&codec](auto& content) { code(codec, content); });
    codec.optional(value.failure, [&codec](auto& failure) { code(codec, failure); });
    codec.since(3, [&] { code_optional_time(codec, value.due_at); });
}

template <class Codec>
void code(Codec& codec, Maybe<Change> auto& value) {
    codec.text(value.id.text);
    codec.number(value.revision);
    codec.time(value.at);
    code_state(codec, value.state);
}

template <class Codec>
void code(Codec& codec, Maybe<AttemptEnd> auto& value) {
    codec.number(value.attempt);
    codec.choice(value.outcome, AttemptOutcome::succeeded, AttemptOutcome::route_error);
    codec.text(value.instance.text);
    code_optional_time(codec, value.started_at);
    code_optional_int(codec, value.http_status);
    code_optional_int(codec, value.exit_code);
    code_optional_int(codec, value.signal);
    code(codec, value.usage);
    code_trace(codec, value.trace);
    code_why(codec, value);
}

}  // namespace longhaul::gateway
