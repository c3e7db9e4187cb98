#include "longhaul/wire/impl/host_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace longhaul::wire::fields {
namespace {

constexpr std::size_t kStagesMax = 32;
constexpr std::size_t kStageNameMax = 64;

bool is_id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
}

// Reads a text and says whether there is one to check.
bool take_text(ObjectReader& reader, std::string_view name, std::string& out, Presence presence) {
    std::string text;
    const bool there = reader.text(name, text) && !reader.failed();
    if (!there && presence == Presence::required) reader.fail(name, "is missing");
    if (!there) return false;
    if (text.empty() && presence == Presence::required) reader.fail(name, "is empty");
    out = std::move(text);
    return !out.empty();
}

template <class T>
void take(ObjectReader& reader, std::string_view name, Result<T> parsed, T& out) {
    if (parsed) {
        out = std::move(*parsed);
    } else {
        reader.fail(name, "is wrong: " + parsed.error().message);
    }
}

}  // namespace

Json message() {
    Json json = Json::object();
    json.set("proto", kProto);
    return json;
}

void read_proto(ObjectReader& reader) {
    std::int64_t proto = 0;
    reader.require("proto");
    reader.integer("proto", proto, kProto, kProto);
}

void write_owner(Json& json, const Owner& owner) {
    json.set("shard", std::int64_t{owner.shard});
    json.set("owner_term", owner.term);
}

void read_owner(ObjectReader& reader, Owner& out) {
    reader.require("shard");
    reader.number("shard", out.shard, 0, 4095);
    reader.require("owner_term");
    read_count(reader, "owner_term", out.term);
}

void write_key(Json& json, const AttemptKey& key) {
    json.set("invocation", key.invocation.text);
    json.set("attempt", key.attempt);
}

void read_key(ObjectReader& reader, AttemptKey& out) {
    std::string id;
    reader.require("invocation");
    if (reader.text("invocation", id)) {
        take(reader, "invocation", parse_invocation_id(id), out.invocation);
    }
    reader.require("attempt");
    reader.number("attempt", out.attempt, 1, kAttemptMax);
}

void write_trace(Json& json, const StageTrace& trace) {
    if (trace.empty()) return;
    Json stages = Json::object();
    for (const auto& [name, ms] : trace) stages.set(name, ms);
    json.set("trace", std::move(stages));
}

void read_trace(ObjectReader& reader, StageTrace& out) {
    const Json* stages = reader.member("trace");
    if (!stages) return;
    const Json::Object* members = stages->as_object();
    if (!members) return reader.fail("trace", "must be an object");
    if (members->size() > kStagesMax) {
        return reader.fail("trace", fmt::format("has more than {} stages", kStagesMax));
    }
    for (const auto& [name, ms] : *members) {
        if (name.size() > kStageNameMax || !ms.is_number()) {
            return reader.fail("trace", "must hold short names with milliseconds");
        }
        out.emplace_back(name, ms.number());
    }
}

void read_id(ObjectReader& reader, std::string_view name, std::string& out, Presence presence) {
    if (!take_text(reader, name, out, presence)) return;
    const bool is_safe = out[0] != '.' && std::all_of(out.begin(), out.end(), is_id_character);
    if (!is_safe || out.size() > kIdMax) {
        reader.fail(name, fmt::format("must be at most {} letters, digits and ._:-", kIdMax));
    }
}

void read_printable(ObjectReader& reader, std::string_view name, std::string& out,
                    std::size_t bytes_max, Presence presence) {
    if (!take_text(reader, name, out, presence)) return;
    if (out.size() > bytes_max || !is_printable(out)) {
        reader.fail(name, fmt::format("must be at most {} printable characters", bytes_max));
    }
}

void read_text(ObjectReader& reader, std::string_view name, std::string& out,
               std::size_t bytes_max) {
    if (!take_text(reader, name, out, Presence::optional)) return;
    if (out.size() > bytes_max)
        reader.fail(name, fmt::format("is longer than {} bytes", bytes_max));
}

void read_digest(ObjectReader& reader, std::string_view name, Digest& out) {
    std::string text;
    if (take_text(reader, name, text, Presence::optional)) {
        take(reader, name, parse_digest(text), out);
    }
}

void read_tenant(ObjectReader& reader, TenantName& out) {
    std::string text;
    if (take_text(reader, "tenant", text, Presence::required)) {
        take(reader, "tenant", parse_tenant_name(text), out);
    }
}

void read_count(ObjectReader& reader, std::string_view name, std::uint64_t& out) {
    reader.number(name, out, 0, kAnyCount);
}

void pass_on(ObjectReader& reader, std::string_view name, const ObjectReader& inner) {
    const auto done = inner.finish();
    if (!done) reader.fail(name, "is wrong: " + done.error().message);
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

Json write_digest(const AttemptDigest& digest) {
    Json json = Json::object();
    json.set("count", digest.count);
    json.set("sum", fmt::format("{:016x}", digest.sum));
    return json;
}

void read_digest_of_attempts(ObjectReader& outer, std::optional<AttemptDigest>& out) {
    const Json* json = outer.member("digest");
    if (!json) return;
    ObjectReader reader(*json);
    AttemptDigest digest;
    reader.require("count");
    read_count(reader, "count", digest.count);
    std::string text;
    reader.require("sum");
    reader.text("sum", text);
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, digest.sum, 16);
    if (text.size() != 16 || parsed.ec != std::errc{} || parsed.ptr != end)
        reader.fail("sum", "must be 16 hex digits");
    pass_on(outer, "digest", reader);
    out = digest;
}

Json write(const AttemptKey& value) {
    Json json = Json::object();
    write_key(json, value);
    return json;
}

Result<void> read(const Json& json, std::string_view where, AttemptKey& out) {
    ObjectReader reader(json, where);
    read_key(reader, out);
    return reader.finish();
}

Result<const Json::Array*> list(ObjectReader& reader, std::string_view name,
                                std::size_t count_max) {
    const Json* found = reader.member(name);
    const Json::Array* items = found ? found->as_array() : nullptr;
    if (found && !items) {
        reader.fail(name, "must be an array");
    } else if (items && items->size() > count_max) {
        reader.fail(name, fmt::format("has {} items, the limit is {}", items->size(), count_max));
    }
    if (auto done = reader.finish(); !done) return done.error();
    return items;
}

std::string item_name(std::string_view list, std::size_t index) {
    return fmt::format("{}[{}]", list, index);
}

}  // namespace longhaul::wire::fields
