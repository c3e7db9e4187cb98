#include "gateway/ledger/view_keys.hpp"

#include "longhaul/base/assert.hpp"

namespace longhaul::gateway::keys {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr char kEnd = '\x01';
constexpr char kEscaped = '\xff';

}  // namespace

KeyBuilder& KeyBuilder::text(std::string_view value) {
    for (const char byte : value) {
        key_.push_back(byte);
        if (byte == '\0') key_.push_back(kEscaped);
    }
    key_.push_back('\0');
    key_.push_back(kEnd);
    return *this;
}

KeyBuilder& KeyBuilder::number(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) key_.push_back(static_cast<char>(value >> shift));
    return *this;
}

KeyBuilder& KeyBuilder::time(TimePoint value) {
    return number(static_cast<std::uint64_t>(value.time_since_epoch().count()) ^ kSignBit);
}

KeyBuilder& KeyBuilder::state(State value) {
    key_.push_back(static_cast<char>(value));
    return *this;
}

KeyBuilder& KeyBuilder::tail(std::string_view value) {
    key_.append(value);
    return *this;
}

std::string live(const InvocationId& id) { return KeyBuilder(kLive).tail(id.text).take(); }

std::string ended(const InvocationId& id) { return KeyBuilder(kEnded).tail(id.text).take(); }

std::string gone(const InvocationId& id) { return KeyBuilder(kGone).tail(id.text).take(); }

std::string retried(const InvocationId& id) { return KeyBuilder(kRetried).tail(id.text).take(); }

std::string history_prefix(const InvocationId& id) {
    return KeyBuilder(kHistory).text(id.text).take();
}

std::string history(const InvocationId& id, std::uint32_t revision) {
    return KeyBuilder(kHistory).text(id.text).number(revision).take();
}

std::string function(const TenantName& tenant, const FunctionName& name) {
    return KeyBuilder(kFunction).text(tenant.text).text(name.text).take();
}

std::string function_versions_prefix(const TenantName& tenant, const FunctionName& name) {
    return KeyBuilder(kFunctionVersion).text(tenant.text).text(name.text).take();
}

std::string idempotency(const TenantName& tenant, const FunctionName& name, std::string_view key) {
    return KeyBuilder(kIdempotency).text(tenant.text).text(name.text).tail(key).take();
}

std::string file_prefix(std::string_view file) { return KeyBuilder(kFile).text(file).take(); }

std::string file(std::string_view file, const InvocationId& id) {
    return KeyBuilder(kFile).text(file).tail(id.text).take();
}

std::string by_end(TimePoint ended_at, const InvocationId& id) {
    return KeyBuilder(kByEnd).time(ended_at).tail(id.text).take();
}

std::string by_state_prefix(const TenantName& tenant, State state) {
    return KeyBuilder(kByState).text(tenant.text).state(state).take();
}

std::string by_function_prefix(const TenantName& tenant, const FunctionName& name, State state) {
    return KeyBuilder(kByFunction).text(tenant.text).text(name.text).state(state).take();
}

std::string by_label_prefix(const TenantName& tenant, std::string_view label,
                            std::string_view value, State state) {
    return KeyBuilder(kByLabel).text(tenant.text).text(label).text(value).state(state).take();
}

std::string with_time(std::string prefix, TimePoint created_at, const InvocationId& id) {
    return std::move(prefix) + KeyBuilder('\0').time(created_at).tail(id.text).take().substr(1);
}

KeyRange all_of(std::string prefix) {
    std::string end = prefix;
    while (!end.empty() && end.back() == '\xff') end.pop_back();
    LH_ASSERT(!end.empty());
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return {std::move(prefix), std::move(end)};
}

bool take_text(std::string_view& key, std::string& value) {
    std::string text;
    for (std::size_t i = 0; i + 1 < key.size(); ++i) {
        if (key[i] != '\0') {
            text.push_back(key[i]);
            continue;
        }
        const char mark = key[++i];
        if (mark == kEnd) {
            value = std::move(text);
            key.remove_prefix(i + 1);
            return true;
        }
        if (mark != kEscaped) return false;
        text.push_back('\0');
    }
    return false;
}

bool take_time(std::string_view& key, TimePoint& value) {
    if (key.size() < kTimeBytes) return false;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < kTimeBytes; ++i)
        bits = bits << 8 | static_cast<unsigned char>(key[i]);
    value = TimePoint{Duration{static_cast<std::int64_t>(bits ^ kSignBit)}};
    key.remove_prefix(kTimeBytes);
    return true;
}

}  // namespace longhaul::gateway::keys
