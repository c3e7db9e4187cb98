// What is asked of a host or an instance: take, load, kill, ack; and what an instance says.
#include "longhaul/wire/host_messages.hpp"

#include "longhaul/base/text.hpp"
#include "longhaul/wire/function_json.hpp"
#include "longhaul/wire/impl/host_fields.hpp"

#include <algorithm>
#include <array>

namespace longhaul::wire {
namespace fields {
namespace {

// Index = number; index 0 is none.
constexpr std::array<std::string_view, 6> kKillModes{"",        "cancel", "kill",
                                                     "timeout", "fence",  "drain"};
constexpr std::array<std::string_view, 5> kKillOutcomes{"", "stopping", "fenced", "ended", "stale"};

template <class Enum, std::size_t Count>
void read_name(ObjectReader& reader, std::string_view name,
               const std::array<std::string_view, Count>& names, Enum& out) {
    std::string text;
    reader.require(name);
    if (!reader.text(name, text)) return;
    const auto found = std::find(names.begin() + 1, names.end(), text);
    if (found == names.end()) return reader.fail(name, "is unknown: '" + text.substr(0, 64) + "'");
    out = static_cast<Enum>(found - names.begin());
}

}  // namespace

Json write(const KillOrder& value) {
    Json json = Json::object();
    write_owner(json, value.owner);
    write_key(json, value.key);
    json.set("token", value.token.text);
    json.set("mode", kKillModes[static_cast<std::size_t>(value.mode)]);
    json.set("grace_ms", value.grace_ms);
    if (!value.reason.empty()) json.set("reason", value.reason);
    if (!value.instance.empty()) json.set("instance", value.instance.text);
    return json;
}

Result<void> read(const Json& json, std::string_view where, KillOrder& out) {
    ObjectReader reader(json, where);
    read_owner(reader, out.owner);
    read_key(reader, out.key);
    read_id(reader, "token", out.token.text, Presence::required);
    read_name(reader, "mode", kKillModes, out.mode);
    reader.integer("grace_ms", out.grace_ms, 0, kMsMax);
    reader.text("reason", out.reason);
    read_id(reader, "instance", out.instance.text, Presence::optional);
    return reader.finish();
}

Json write(const KillAnswer& value) {
    Json json = Json::object();
    write_key(json, value.key);
    json.set("outcome", kKillOutcomes[static_cast<std::size_t>(value.outcome)]);
    return json;
}

Result<void> read(const Json& json, std::string_view where, KillAnswer& out) {
    ObjectReader reader(json, where);
    read_key(reader, out.key);
    read_name(reader, "outcome", kKillOutcomes, out.outcome);
    return reader.finish();
}

Json write(const Ack& value) {
    Json json = Json::object();
    write_owner(json, value.owner);
    write_key(json, value.key);
    return json;
}

Result<void> read(const Json& json, std::string_view where, Ack& out) {
    ObjectReader reader(json, where);
    read_owner(reader, out.owner);
    read_key(reader, out.key);
    return reader.finish();
}

}  // namespace fields

namespace {

using namespace fields;  // this file's own other half

constexpr std::array<std::string_view, 6> kRanks{"queued",  "dispatched", "starting",
                                                 "running", "stopping",   "ended"};
constexpr std::array<std::string_view, 6> kInstanceStates{"standby", "loading", "loaded",
                                                          "busy",    "broken",  "draining"};
constexpr std::size_t kPathMax = 4096;

// The whole of a message that is nothing but a list.
template <class Value>
Json list_message(std::string_view name, const std::vector<Value>& values) {
    Json json = message();
    json.set(name, write_list(values));
    return json;
}

template <class Value>
Result<void> read_list_message(const Json& json, std::string_view name, std::vector<Value>& out) {
    ObjectReader reader(json);
    read_proto(reader);
    reader.require(name);
    return read_list(reader, name, kBatchMax, out);
}

Result<void> read_function(ObjectReader& reader, FunctionSpec& out) {
    reader.require("function");
    if (auto done = reader.finish(); !done) return done;
    auto function = parse_function(*reader.member("function"), Strictness::internal);
    if (!function) {
        return make_error(Errc::invalid_argument, "function: " + function.error().message);
    }
    out = std::move(*function);
    return {};
}

Result<void> read_message(const Json& json, TakeRequest& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_owner(reader, out.owner);
    read_key(reader, out.key);
    read_id(reader, "token", out.token.text, Presence::required);
    read_tenant(reader, out.tenant);
    if (auto done = read_function(reader, out.function); !done) return done;
    reader.require("ms_left");
    reader.integer("ms_left", out.ms_left, 0, kMsMax);
    read_id(reader, "instance", out.instance.text, Presence::optional);
    return reader.finish();
}

Result<void> read_message(const Json& json, TakeAnswer& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_id(reader, "instance", out.instance.text, Presence::required);
    read_printable(reader, "address", out.address, 255, Presence::required);
    read_printable(reader, "run_token", out.run_token, 256, Presence::required);
    reader.boolean("loaded", out.loaded);
    read_trace(reader, out.trace);
    return reader.finish();
}

Result<void> read_message(const Json& json, std::vector<KillOrder>& out) {
    return read_list_message(json, "orders", out);
}

Result<void> read_message(const Json& json, std::vector<KillAnswer>& out) {
    return read_list_message(json, "answers", out);
}

Result<void> read_message(const Json& json, std::vector<Ack>& out) {
    return read_list_message(json, "acks", out);
}

Result<void> read_message(const Json& json, InstanceStatus& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_id(reader, "incarnation", out.incarnation, Presence::required);
    reader.boolean("ready", out.ready);
    reader.require("state");
    if (reader.text("state", out.state) && std::find(kInstanceStates.begin(), kInstanceStates.end(),
                                                     out.state) == kInstanceStates.end()) {
        reader.fail("state", "is unknown: '" + out.state.substr(0, 64) + "'");
    }
    read_printable(reader, "data_address", out.data_address, 255, Presence::optional);
    if (auto done = read_list(reader, "entries", kBatchMax, out.entries); !done) return done;
    if (const Json* offer = reader.member("offer")) {
        ObjectReader offered(*offer, "offer");
        out.offer.emplace();
        read_owner(offered, out.offer->owner);
        read_printable(offered, "run_token", out.offer->run_token, 256, Presence::required);
        if (auto done = offered.finish(); !done) return done;
    }
    reader.boolean("retry_on_lost", out.retry_on_lost);
    return reader.finish();
}

Result<void> read_message(const Json& json, InstanceStatusAnswer& out) {
    ObjectReader reader(json);
    read_proto(reader);
    if (auto done = read_list(reader, "kept", kBatchMax, out.kept); !done) return done;
    return reader.finish();
}

Result<void> read_message(const Json& json, LoadRequest& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_tenant(reader, out.tenant);
    if (auto done = read_function(reader, out.function); !done) return done;
    read_text(reader, "code_dir", out.code_dir, kPathMax);
    if (out.code_dir.find('\0') != std::string::npos)
        reader.fail("code_dir", "must not contain NUL");
    reader.require("load_ms");
    reader.integer("load_ms", out.load_ms, 0, kMsMax);
    return reader.finish();
}

}  // namespace

std::string_view to_string(Rank rank) {
    const auto index = static_cast<std::size_t>(rank);
    return index < kRanks.size() ? kRanks[index] : "unknown";
}

Json to_json(const TakeRequest& value) {
    Json json = message();
    write_owner(json, value.owner);
    write_key(json, value.key);
    json.set("token", value.token.text);
    json.set("tenant", value.tenant.text);
    json.set("function", to_json(value.function));
    json.set("ms_left", value.ms_left);
    if (!value.instance.empty()) json.set("instance", value.instance.text);
    return json;
}

Json to_json(const TakeAnswer& value) {
    Json json = message();
    json.set("instance", value.instance.text);
    json.set("address", value.address);
    json.set("run_token", value.run_token);
    json.set("loaded", value.loaded);
    write_trace(json, value.trace);
    return json;
}

Json to_json(const std::vector<KillOrder>& value) { return list_message("orders", value); }
Json to_json(const std::vector<KillAnswer>& value) { return list_message("answers", value); }
Json to_json(const std::vector<Ack>& value) { return list_message("acks", value); }

Json to_json(const InstanceStatus& value) {
    Json json = message();
    json.set("incarnation", value.incarnation);
    json.set("ready", value.ready);
    json.set("state", value.state);
    if (!value.data_address.empty()) json.set("data_address", value.data_address);
    json.set("entries", write_list(value.entries));
    if (value.offer) {
        Json offer = Json::object();
        write_owner(offer, value.offer->owner);
        offer.set("run_token", value.offer->run_token);
        json.set("offer", std::move(offer));
    }
    if (value.retry_on_lost) json.set("retry_on_lost", true);
    return json;
}

Json to_json(const InstanceStatusAnswer& value) {
    Json json = message();
    json.set("kept", write_list(value.kept));
    return json;
}

Json to_json(const LoadRequest& value) {
    Json json = message();
    json.set("tenant", value.tenant.text);
    json.set("function", to_json(value.function));
    json.set("code_dir", value.code_dir);
    json.set("load_ms", value.load_ms);
    return json;
}

template <class Message>
Result<Message> decode(std::string_view text) {
    return decode_with<Message>(
        text, [](const Json& json, Message& out) { return read_message(json, out); });
}

template Result<TakeRequest> decode<TakeRequest>(std::string_view);
template Result<TakeAnswer> decode<TakeAnswer>(std::string_view);
template Result<std::vector<KillOrder>> decode<std::vector<KillOrder>>(std::string_view);
template Result<std::vector<KillAnswer>> decode<std::vector<KillAnswer>>(std::string_view);
template Result<std::vector<Ack>> decode<std::vector<Ack>>(std::string_view);
template Result<InstanceStatus> decode<InstanceStatus>(std::string_view);
template Result<InstanceStatusAnswer> decode<InstanceStatusAnswer>(std::string_view);
template Result<LoadRequest> decode<LoadRequest>(std::string_view);

}  // namespace longhaul::wire
