#include "gateway/ledger/record_codec.hpp"

#include "gateway/ledger/field_codec.hpp"
#include "longhaul/base/assert.hpp"

namespace longhaul::gateway {
namespace {

constexpr std::size_t kInvocationBytesExpected = 1024;

template <class Codec>
void code(Codec& codec, Maybe<OwnerTermRecord> auto& value) {
    codec.number(value.shard);
    codec.number(value.term);
}

template <class Codec>
void code(Codec& codec, Maybe<FunctionPutRecord> auto& value) {
    codec.text(value.tenant.text);
    code_function(codec, value.function);
    codec.time(value.at);
}

template <class Codec>
void code(Codec& codec, Maybe<FunctionDeletedRecord> auto& value) {
    codec.text(value.tenant.text);
    codec.text(value.function.text);
    codec.time(value.at);
}

template <class Codec>
void code(Codec& codec, Maybe<LimitsPutRecord> auto& value) {
    codec.number(value.limits.global_max);
    codec.number(value.limits.tenant_max);
}

template <class Codec>
void code(Codec& codec, Maybe<QueuePausedRecord> auto& value) {
    codec.text(value.tenant.text);
    codec.text(value.function.text);
    codec.boolean(value.paused);
}

template <class Codec>
void code(Codec& codec, Maybe<AcceptedRecord> auto& value) {
    code(codec, value.invocation);
}

template <class Codec>
void code(Codec& codec, Maybe<DispatchingRecord> auto& value) {
    code(codec, value.change);
    code(codec, value.attempt);
    codec.number(value.route_tries);
}

template <class Codec>
void code(Codec& codec, Maybe<StartedRecord> auto& value) {
    code(codec, value.change);
    codec.number(value.attempt);
    codec.text(value.instance.text);
    code_trace(codec, value.trace);
}

template <class Codec>
void code(Codec& codec, Maybe<RequeuedRecord> auto& value) {
    code(codec, value.change);
    codec.number(value.route_tries);
}

template <class Codec>
void code(Codec& codec, Maybe<StopIntentRecord> auto& value) {
    code(codec, value.change);
    code(codec, value.stop);
}

template <class Codec>
void code(Codec& codec, Maybe<FencedRecord> auto& value) {
    code(codec, value.change);
    codec.number(value.attempt);
}

template <class Codec>
void code(Codec& codec, Maybe<AttemptEndedRecord> auto& value) {
    code(codec, value.change);
    code(codec, value.end);
    codec.since(3, [&] { code_optional_time(codec, value.due_at); });
}

template <class Codec>
void code(Codec& codec, Maybe<TerminalRecord> auto& value) {
    code(codec, value.change);
    codec.optional(value.end, [&codec](auto& end) { code(codec, end); });
    codec.optional(value.result, [&codec](auto& content) { code(codec, content); });
    codec.optional(value.failure, [&codec](auto& failure) { code(codec, failure); });
    codec.optional(value.stop, [&codec](auto& stop) { code(codec, stop); });
}

template <class Codec>
void code(Codec& codec, Maybe<PurgedRecord> auto& value) {
    codec.text(value.id.text);
    codec.time(value.at);
}

template <class Codec>
void code(Codec& codec, Maybe<PatchedRecord> auto& value) {
    code(codec, value.change);
    codec.number(value.priority);
    codec.time(value.deadline);
    codec.boolean(value.deadline_is_explicit);
    code_optional_time(codec, value.not_before);
    code_optional_time(codec, value.due_at);
    codec.time(value.queue_ttl_at);
    code_pairs(codec, value.labels);
}

// A record's kind is its place in the variant, counted from 1.
constexpr auto kKindCount = std::variant_size_v<Record>;
static_assert(kKindCount == static_cast<std::size_t>(RecordKind::patched));

template <RecordKind kKind>
using RecordOf = std::variant_alternative_t<static_cast<std::size_t>(kKind) - 1, Record>;
static_assert(std::same_as<RecordOf<RecordKind::owner_term>, OwnerTermRecord>);
static_assert(std::same_as<RecordOf<RecordKind::queue_paused>, QueuePausedRecord>);
static_assert(std::same_as<RecordOf<RecordKind::accepted>, AcceptedRecord>);
static_assert(std::same_as<RecordOf<RecordKind::stop_intent>, StopIntentRecord>);
static_assert(std::same_as<RecordOf<RecordKind::terminal>, TerminalRecord>);
static_assert(std::same_as<RecordOf<RecordKind::purged>, PurgedRecord>);
static_assert(std::same_as<RecordOf<RecordKind::patched>, PatchedRecord>);

template <std::size_t kIndex = 0>
Record read_record(std::size_t index, FieldReader& codec) {
    if constexpr (kIndex + 1 < kKindCount)
        if (index != kIndex) return read_record<kIndex + 1>(index, codec);
    std::variant_alternative_t<kIndex, Record> value{};
    code(codec, value);
    return value;
}

Result<std::uint8_t> read_version(ByteReader& in, std::string_view thing) {
    const std::uint8_t version = in.u8();
    if (in.failed()) return make_error(Errc::corrupt, std::string(thing) + ": no bytes");
    if (version >= 1 && version <= kFormatVersion) return version;
    return make_error(Errc::unsupported,
                      std::string(thing) + ": format version " + std::to_string(version) +
                          " was written by another longhaul; this one reads up to version " +
                          std::to_string(kFormatVersion));
}

}  // namespace

void code_function(FieldWriter& codec, const std::shared_ptr<const FunctionSpec>& function) {
    LH_ASSERT(function != nullptr);
    code(codec, *function);
}

void code_function(FieldReader& codec, std::shared_ptr<const FunctionSpec>& function) {
    auto spec = std::make_shared<FunctionSpec>();
    code(codec, *spec);
    function = std::move(spec);
}

std::string encode_record(const Record& record) {
    const bool is_accepted = std::holds_alternative<AcceptedRecord>(record);
    ByteWriter out{is_accepted ? kInvocationBytesExpected : std::size_t{256}};
    out.u8(kFormatVersion);
    out.u8(static_cast<std::uint8_t>(record.index() + 1));
    FieldWriter codec{out};
    std::visit([&codec](const auto& value) { code(codec, value); }, record);
    return out.take();
}

Result<Record> decode_record(std::string_view bytes) {
    ByteReader in{bytes};
    const auto version = read_version(in, "record");
    if (!version) return version.error();
    const std::uint8_t kind = in.u8();
    if (in.failed()) return make_error(Errc::corrupt, "record: it has no kind");
    if (kind == 0 || kind > kKindCount)
        return make_error(Errc::unsupported, "record: kind " + std::to_string(kind) +
                                                 " is none that this longhaul knows");
    FieldReader codec{in, *version};
    Record record = read_record(kind - 1u, codec);
    if (auto done = in.finish("record of kind " + std::to_string(kind)); !done) return done.error();
    return record;
}

std::string encode_invocation(const Invocation& invocation) {
    ByteWriter out{kInvocationBytesExpected};
    out.u8(kFormatVersion);
    FieldWriter codec{out};
    code(codec, invocation);
    return out.take();
}

Result<Invocation> decode_invocation(std::string_view bytes) {
    ByteReader in{bytes};
    const auto version = read_version(in, "invocation");
    if (!version) return version.error();
    FieldReader codec{in, *version};
    Invocation invocation;
    code(codec, invocation);
    if (auto done = in.finish("invocation"); !done) return done.error();
    return invocation;
}

}  // namespace longhaul::gateway
