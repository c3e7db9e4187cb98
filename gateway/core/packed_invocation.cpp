#include "gateway/core/packed_invocation.hpp"

#include "longhaul/base/assert.hpp"

#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace longhaul::gateway {
namespace {

// What is there, or is as it usually is. The first bits hold the priority.
enum class Bit : std::uint32_t {
    scheduled = 1u << 3,  // else queued
    due_at = 1u << 4,
    usual_queue_ttl = 1u << 5,
    usual_deadline = 1u << 6,
    deadline_is_explicit = 1u << 7,
    status_version = 1u << 8,
    revision = 1u << 9,
    retry_of = 1u << 10,
    inline_bytes = 1u << 11,
    file = 1u << 12,
    size = 1u << 13,  // not that of inline_bytes
    sha256_is_hex = 1u << 14,
    fingerprint_is_hex = 1u << 15,
    timeout = 1u << 16,
    queue_ttl = 1u << 17,
    deadline = 1u << 18,
    labels = 1u << 19,
    traceparent = 1u << 20,
    headers = 1u << 21,
    idempotency_key = 1u << 22,
    concurrency_key = 1u << 23,
    not_before = 1u << 24,
    retry_max_attempts = 1u << 25,
    retry_backoff = 1u << 26,
};
constexpr std::uint32_t kPriorityBits = 7;
static_assert(kPriorityLast <= kPriorityBits);

constexpr std::size_t kDigestBytes = 32;
constexpr std::string_view kHexDigits = "0123456789abcdef";

using Texts = std::vector<std::pair<std::string, std::string>>;

bool is_digest(std::string_view text) {
    return text.size() == 2 * kDigestBytes &&
           text.find_first_not_of(kHexDigits) == std::string_view::npos;
}

unsigned nibble(char digit) {
    return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

struct InvocationPacker::Head {
    Kind* kind = nullptr;
    TimePoint created_at{};
    std::uint32_t bits = 0;

    [[nodiscard]] bool has(Bit bit) const { return (bits & static_cast<std::uint32_t>(bit)) != 0; }
    void set(Bit bit) { bits |= static_cast<std::uint32_t>(bit); }
};

namespace {

constexpr std::size_t kHeadBytes = sizeof(void*) + sizeof(TimePoint) + sizeof(std::uint32_t);

}  // namespace

class InvocationPacker::Writer {
public:
    Writer(Head& head, std::string& out) : head_(head), out_(out) {}

    void yes(Bit bit, bool value) {
        if (value) head_.set(bit);
    }
    template <class T>
    void optional(Bit bit, const std::optional<T>& value) {
        if (!value) return;
        head_.set(bit);
        raw(*value);
    }
    void optional(Bit bit, const std::optional<InvocationId>& value) {
        if (!value) return;
        head_.set(bit);
        text(value->text);
    }
    template <class T>
    void unless(Bit bit, const T& value, std::type_identity_t<T> usual) {
        if (value == usual) return;
        head_.set(bit);
        raw(value);
    }
    void usually(Bit bit, TimePoint value, TimePoint usual) {
        if (value == usual)
            head_.set(bit);
        else
            raw(value);
    }
    void text(Bit bit, const std::string& value) {
        if (value.empty()) return;
        head_.set(bit);
        text(value);
    }
    void texts(Bit bit, const Texts& values) {
        if (values.empty()) return;
        head_.set(bit);
        length(values.size());
        for (const auto& [name, value] : values) {
            text(name);
            text(value);
        }
    }
    void digest(Bit bit, const std::string& value) {
        if (!is_digest(value)) return text(value);
        head_.set(bit);
        for (std::size_t at = 0; at < value.size(); at += 2)
            out_.push_back(static_cast<char>(nibble(value[at]) << 4 | nibble(value[at + 1])));
    }

private:
    template <class T>
    void raw(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        out_.append(bytes, sizeof(T));
    }
    void length(std::size_t value) {
        for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
        out_.push_back(static_cast<char>(value));
    }
    void text(const std::string& value) {
        length(value.size());
        out_.append(value);
    }

    Head& head_;
    std::string& out_;
};

class InvocationPacker::Reader {
public:
    Reader(const Head& head, const char* bytes) : head_(head), next_(bytes) {}

    void yes(Bit bit, bool& value) { value = head_.has(bit); }
    template <class T>
    void optional(Bit bit, std::optional<T>& value) {
        if (head_.has(bit)) raw(value.emplace());
    }
    void optional(Bit bit, std::optional<InvocationId>& value) {
        if (head_.has(bit)) text(value.emplace().text);
    }
    template <class T>
    void unless(Bit bit, T& value, std::type_identity_t<T> usual) {
        value = usual;
        if (head_.has(bit)) raw(value);
    }
    void usually(Bit bit, TimePoint& value, TimePoint usual) {
        value = usual;
        if (!head_.has(bit)) raw(value);
    }
    void text(Bit bit, std::string& value) {
        if (head_.has(bit)) text(value);
    }
    void texts(Bit bit, Texts& values) {
        if (!head_.has(bit)) return;
        values.resize(length());
        for (auto& [name, value] : values) {
            text(name);
            text(value);
        }
    }
    void digest(Bit bit, std::string& value) {
        if (!head_.has(bit)) return text(value);
        value.reserve(2 * kDigestBytes);
        for (std::size_t at = 0; at < kDigestBytes; ++at) {
            const auto byte = static_cast<unsigned char>(*next_++);
            value.push_back(kHexDigits[byte >> 4]);
            value.push_back(kHexDigits[byte & 15]);
        }
    }

private:
    template <class T>
    void raw(T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::memcpy(&value, next_, sizeof(T));
        next_ += sizeof(T);
    }
    std::size_t length() {
        std::size_t value = 0;
        for (int shift = 0;; shift += 7) {
            const auto byte = static_cast<unsigned char>(*next_++);
            value |= static_cast<std::size_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
    }
    void text(std::string& value) {
        const std::size_t size = length();
        value.assign(next_, size);
        next_ += size;
    }

    const Head& head_;
    const char* next_;
};

// Written once, for both directions. The first is what in_line_since() looks for.
template <class Codec, class Value>
void InvocationPacker::code(Codec& codec, Value& invocation, const Kind& kind) {
    codec.optional(Bit::due_at, invocation.due_at);
    codec.usually(Bit::usual_queue_ttl, invocation.queue_ttl_at,
                  invocation.created_at + kind.queue_ttl);
    codec.usually(Bit::usual_deadline, invocation.deadline, invocation.created_at + kind.deadline);
    codec.yes(Bit::deadline_is_explicit, invocation.deadline_is_explicit);
    codec.unless(Bit::status_version, invocation.status_version, 0);
    codec.unless(Bit::revision, invocation.revision, 1);
    codec.optional(Bit::retry_of, invocation.retry_of);

    auto& body = invocation.body;
    codec.text(Bit::inline_bytes, body.inline_bytes);
    codec.text(Bit::file, body.file);
    codec.unless(Bit::size, body.size, body.inline_bytes.size());
    codec.digest(Bit::sha256_is_hex, body.sha256);

    auto& options = invocation.options;
    codec.digest(Bit::fingerprint_is_hex, options.fingerprint);
    codec.optional(Bit::timeout, options.timeout);
    codec.optional(Bit::queue_ttl, options.queue_ttl);
    codec.optional(Bit::deadline, options.deadline);
    codec.texts(Bit::labels, options.labels);
    codec.text(Bit::traceparent, options.traceparent);
    codec.texts(Bit::headers, options.headers);
    codec.text(Bit::idempotency_key, options.idempotency_key);
    codec.text(Bit::concurrency_key, options.concurrency_key);
    codec.optional(Bit::not_before, options.not_before);
    codec.optional(Bit::retry_max_attempts, options.retry_max_attempts);
    codec.optional(Bit::retry_backoff, options.retry_backoff);
}

bool InvocationPacker::can_pack(const Invocation& invocation) {
    const bool waits = invocation.state == State::queued || invocation.state == State::scheduled;
    return waits && invocation.attempts.empty() && invocation.route_tries == 0 &&
           !invocation.started_at && !invocation.ended_at && invocation.stop == Stop{} &&
           !invocation.result && !invocation.failure && !invocation.progress &&
           invocation.phase == Phase::none && !invocation.suspect;
}

InvocationPacker::Kind& InvocationPacker::kind_of(const Invocation& invocation) {
    if (last_ && last_->function == invocation.function &&
        last_->content_type == invocation.body.content_type && last_->tenant == invocation.tenant)
        return *last_;
    KindName name{invocation.function.get(), invocation.tenant, invocation.body.content_type};
    const auto [found, is_new] = kinds_.try_emplace(std::move(name));
    last_ = &found->second;
    if (is_new)
        *last_ = Kind{invocation.tenant,
                      invocation.function,
                      invocation.body.content_type,
                      invocation.function->queue_ttl,
                      invocation.deadline - invocation.created_at,
                      0};
    return *last_;
}

PackedInvocation InvocationPacker::pack(const Invocation& invocation) {
    LH_ASSERT(can_pack(invocation));
    Kind& kind = kind_of(invocation);
    ++kind.count;
    Head head{&kind, invocation.created_at, invocation.options.priority};
    if (invocation.state == State::scheduled) head.set(Bit::scheduled);
    scratch_.assign(kHeadBytes, '\0');
    Writer writer{head, scratch_};
    code(writer, invocation, kind);
    char* to = scratch_.data();
    std::memcpy(to, &head.kind, sizeof head.kind);
    std::memcpy(to += sizeof head.kind, &head.created_at, sizeof head.created_at);
    std::memcpy(to += sizeof head.created_at, &head.bits, sizeof head.bits);
    PackedInvocation packed;
    packed.bytes_.reset(new char[scratch_.size()]);
    std::memcpy(packed.bytes_.get(), scratch_.data(), scratch_.size());
    return packed;
}

InvocationPacker::Head InvocationPacker::head_of(const PackedInvocation& packed) {
    LH_ASSERT(packed.bytes_ != nullptr);
    Head head;
    const char* from = packed.bytes_.get();
    std::memcpy(&head.kind, from, sizeof head.kind);
    std::memcpy(&head.created_at, from += sizeof head.kind, sizeof head.created_at);
    std::memcpy(&head.bits, from += sizeof head.created_at, sizeof head.bits);
    return head;
}

Invocation InvocationPacker::read(const CompactId& id, const PackedInvocation& packed) const {
    const Head head = head_of(packed);
    Invocation invocation;
    invocation.id = id.whole();
    invocation.tenant = head.kind->tenant;
    invocation.function = head.kind->function;
    invocation.body.content_type = head.kind->content_type;
    invocation.created_at = head.created_at;
    invocation.state = state(packed);
    invocation.options.priority = static_cast<std::uint8_t>(head.bits & kPriorityBits);
    Reader reader{head, packed.bytes_.get() + kHeadBytes};
    code(reader, invocation, *head.kind);
    return invocation;
}

Invocation InvocationPacker::unpack(const CompactId& id, PackedInvocation packed) {
    Invocation invocation = read(id, packed);
    Kind& kind = *head_of(packed).kind;
    if (--kind.count > 0) return invocation;
    if (last_ == &kind) last_ = nullptr;
    kinds_.erase({kind.function.get(), kind.tenant, kind.content_type});
    return invocation;
}

State InvocationPacker::state(const PackedInvocation& packed) {
    return head_of(packed).has(Bit::scheduled) ? State::scheduled : State::queued;
}

TimePoint InvocationPacker::in_line_since(const PackedInvocation& packed) {
    const Head head = head_of(packed);
    if (!head.has(Bit::due_at)) return head.created_at;
    TimePoint due_at;
    std::memcpy(&due_at, packed.bytes_.get() + kHeadBytes, sizeof due_at);
    return due_at;
}

}  // namespace longhaul::gateway
