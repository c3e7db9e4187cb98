// Pieces that several messages between components share, and the checks of their decoders. Private
// to wire/impl.
#pragma once

#include "longhaul/wire/host_messages.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::wire::fields {

// Room for everything that counts and lengths below allow together.
inline constexpr JsonLimits kMessageLimits{16, 64u << 20, 2'000'000};
inline constexpr std::int64_t kAnyCount = INT64_MAX;
inline constexpr std::int64_t kMsMax = std::int64_t{36'500} * 86'400 * 1000;
inline constexpr std::int64_t kAttemptMax = 1'000'000;
inline constexpr std::size_t kIdMax = 128;

enum class Presence { required, optional };

// {"proto": 1}
[[nodiscard]] Json message();
void read_proto(ObjectReader& reader);

void write_owner(Json& json, const Owner& owner);
void read_owner(ObjectReader& reader, Owner& out);
void write_key(Json& json, const AttemptKey& key);
void read_key(ObjectReader& reader, AttemptKey& out);
void write_trace(Json& json, const StageTrace& trace);
void read_trace(ObjectReader& reader, StageTrace& out);

// Letters, digits, '.', '_', ':' and '-': what may stand in a path or a file name.
void read_id(ObjectReader& reader, std::string_view name, std::string& out, Presence presence);
// Printable ASCII: what may stand in a header line.
void read_printable(ObjectReader& reader, std::string_view name, std::string& out,
                    std::size_t bytes_max, Presence presence);
void read_text(ObjectReader& reader, std::string_view name, std::string& out,
               std::size_t bytes_max);
void read_digest(ObjectReader& reader, std::string_view name, Digest& out);
void read_tenant(ObjectReader& reader, TenantName& out);
void read_count(ObjectReader& reader, std::string_view name, std::uint64_t& out);

[[nodiscard]] bool is_printable(std::string_view text);

// The problem of an object inside is a problem of the member that holds it.
void pass_on(ObjectReader& reader, std::string_view name, const ObjectReader& inner);

[[nodiscard]] Json write_digest(const AttemptDigest& digest);
void read_digest_of_attempts(ObjectReader& outer, std::optional<AttemptDigest>& out);

// What stands in lists: write(value), and read(json, where, out) with `where` in its messages.
[[nodiscard]] Json write(const AttemptKey& value);
[[nodiscard]] Json write(const StatusEntry& value);
[[nodiscard]] Json write(const HostAnnouncement& value);
[[nodiscard]] Json write(const LoadedInstances& value);
[[nodiscard]] Json write(const KillOrder& value);
[[nodiscard]] Json write(const KillAnswer& value);
[[nodiscard]] Json write(const Ack& value);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, AttemptKey& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, StatusEntry& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, HostAnnouncement& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, LoadedInstances& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, KillOrder& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, KillAnswer& out);
[[nodiscard]] Result<void> read(const Json& json, std::string_view where, Ack& out);

template <class Value>
[[nodiscard]] Json write_list(const std::vector<Value>& values) {
    Json::Array items;
    items.reserve(values.size());
    for (const Value& value : values) items.push_back(write(value));
    return items;
}

// The items of the array `name`, or an error; none where it is missing.
[[nodiscard]] Result<const Json::Array*> list(ObjectReader& reader, std::string_view name,
                                              std::size_t count_max);
[[nodiscard]] std::string item_name(std::string_view list, std::size_t index);

template <class Value>
Result<void> read_list(ObjectReader& reader, std::string_view name, std::size_t count_max,
                       std::vector<Value>& out) {
    const auto items = list(reader, name, count_max);
    if (!items) return items.error();
    if (!*items) return {};
    out.reserve((*items)->size());
    for (const Json& item : **items) {
        Value value;
        if (auto done = read(item, item_name(name, out.size()), value); !done) return done;
        out.push_back(std::move(value));
    }
    return {};
}

// parse, then read_message(json, out): the whole of decode<Message>().
template <class Message, class Read>
Result<Message> decode_with(std::string_view text, Read read_message) {
    const auto json = parse_json(text, kMessageLimits);
    if (!json) return json.error();
    Message message;
    if (auto done = read_message(*json, message); !done) return done.error();
    return message;
}

}  // namespace longhaul::wire::fields
