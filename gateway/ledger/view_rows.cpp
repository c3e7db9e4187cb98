#include "gateway/ledger/view_rows.hpp"

#include "gateway/ledger/field_codec.hpp"

namespace longhaul::gateway::rows {
namespace {

template <class Codec>
void code_row(Codec& codec, Maybe<RunLimits> auto& value) {
    codec.number(value.global_max);
    codec.number(value.tenant_max);
}

template <class Codec>
void code_row(Codec& codec, Maybe<StoredFunction> auto& value) {
    codec.text(value.tenant.text);
    code_function(codec, value.current);
    codec.boolean(value.paused);
    codec.time(value.updated_at);
}

template <class Codec>
void code_row(Codec& codec, Maybe<StoredKey> auto& value) {
    codec.text(value.invocation.text);
    codec.text(value.fingerprint);
    codec.time(value.expires_at);
}

template <class Codec>
void code_row(Codec& codec, Maybe<HistoryEntry> auto& value) {
    codec.number(value.revision);
    codec.time(value.at);
    code_state(codec, value.state);
    codec.number(value.attempt);
    codec.text(value.detail);
}

template <class T>
std::string encode_row(const T& value) {
    ByteWriter out;
    FieldWriter codec{out};
    code_row(codec, value);
    return out.take();
}

template <class T>
Result<T> decode_row(std::string_view bytes, std::string_view thing,
                     std::uint8_t version = kFormatVersion) {
    ByteReader in{bytes};
    FieldReader codec{in, version};
    T value{};
    code_row(codec, value);
    if (auto done = in.finish(thing); !done) return done.error();
    return value;
}

std::string stop_detail(const Stop& stop) {
    std::string detail{to_string(stop.cause)};
    if (!stop.by.empty()) detail += " by " + stop.by;
    if (!stop.reason.empty()) detail += ": " + stop.reason;
    return detail;
}

std::string failure_detail(const Failure& failure) {
    std::string detail{to_string(failure.reason)};
    if (!failure.message.empty()) detail += ": " + failure.message;
    return detail;
}

std::string detail_of(const Record& record) {
    if (const auto* stop = std::get_if<StopIntentRecord>(&record)) return stop_detail(stop->stop);
    if (const auto* fenced = std::get_if<FencedRecord>(&record))
        return "attempt " + std::to_string(fenced->attempt) + " fenced";
    if (const auto* ended = std::get_if<AttemptEndedRecord>(&record))
        return "attempt " + std::to_string(ended->end.attempt) + " " +
               std::string(to_string(ended->end.outcome));
    if (std::holds_alternative<PatchedRecord>(record)) return "patched";
    if (const auto* terminal = std::get_if<TerminalRecord>(&record)) {
        if (terminal->failure) return failure_detail(*terminal->failure);
        if (terminal->stop && terminal->stop->cause != StopCause::none)
            return stop_detail(*terminal->stop);
    }
    return {};
}

}  // namespace

std::string encode_number(std::uint64_t value) {
    ByteWriter out{8};
    out.u64(value);
    return out.take();
}

Result<std::uint64_t> decode_number(std::string_view bytes) {
    ByteReader in{bytes};
    const std::uint64_t value = in.u64();
    if (auto done = in.finish("number row"); !done) return done.error();
    return value;
}

std::string encode_time(TimePoint value) {
    return encode_number(static_cast<std::uint64_t>(value.time_since_epoch().count()));
}

Result<TimePoint> decode_time(std::string_view bytes) {
    const Result<std::uint64_t> number = decode_number(bytes);
    if (!number) return number.error();
    return TimePoint{Duration{static_cast<std::int64_t>(*number)}};
}

std::string encode_limits(const RunLimits& limits) { return encode_row(limits); }
Result<RunLimits> decode_limits(std::string_view bytes) {
    return decode_row<RunLimits>(bytes, "limits row");
}

// A function's row names its version behind a zero. Rows of version 1 do not: they begin with the
// length of their tenant's name, which is never zero.
std::string encode_function(const StoredFunction& function) {
    return std::string{'\0', static_cast<char>(kFormatVersion)} + encode_row(function);
}
Result<StoredFunction> decode_function(std::string_view bytes) {
    std::uint8_t version = 1;
    if (bytes.size() > 1 && bytes.front() == '\0') {
        version = static_cast<std::uint8_t>(bytes[1]);
        bytes.remove_prefix(2);
    }
    if (version > kFormatVersion)
        return make_error(Errc::unsupported, "function row: format version " +
                                                 std::to_string(version) +
                                                 " was written by another longhaul");
    return decode_row<StoredFunction>(bytes, "function row", version);
}

std::string encode_key(const StoredKey& key) { return encode_row(key); }
Result<StoredKey> decode_key(std::string_view bytes) {
    return decode_row<StoredKey>(bytes, "idempotency row");
}

std::string encode_history(const HistoryEntry& entry) { return encode_row(entry); }
Result<HistoryEntry> decode_history(std::string_view bytes) {
    return decode_row<HistoryEntry>(bytes, "history row");
}

HistoryEntry history_entry(const Record& record, const Invocation& invocation) {
    const Change* change = change_of(record);
    const Attempt* current = invocation.current();
    return {.revision = invocation.revision,
            .at = change ? change->at : invocation.created_at,
            .state = invocation.state,
            .attempt = current ? current->number : 0,
            .detail = detail_of(record)};
}

}  // namespace longhaul::gateway::rows
