// What is asked about attempts, and the answers.
#include "longhaul/wire/impl/host_fields.hpp"

namespace longhaul::wire {

using namespace fields;  // this folder's own shared pieces

Json to_json(const StatusQuery& value) {
    Json json = message();
    json.set("keys", write_list(value.keys));
    json.set("snapshot", value.snapshot);
    if (value.after) json.set("after", write(*value.after));
    if (value.since)
        json.set("since",
                 Json::object().set("epoch", value.since->epoch).set("seq", value.since->seq));
    if (value.digest) json.set("digest", true);
    if (!value.instances.empty()) {
        Json::Array instances;
        for (const InstanceId& id : value.instances) instances.emplace_back(id.text);
        json.set("instances", std::move(instances));
    }
    return json;
}

Json to_json(const StatusAnswer& value) {
    Json json = message();
    json.set("host", value.host.text);
    json.set("epoch", value.epoch);
    json.set("last_seq", value.last_seq);
    json.set("complete", value.complete);
    json.set("entries", write_list(value.entries));
    json.set("unknown", write_list(value.unknown));
    if (!value.unheard.empty()) json.set("unheard", write_list(value.unheard));
    if (value.more) json.set("more", true);
    if (value.digest) json.set("digest", write_digest(*value.digest));
    return json;
}

namespace {

void read_since(ObjectReader& outer, std::optional<SeqPoint>& out) {
    const Json* json = outer.member("since");
    if (!json) return;
    ObjectReader reader(*json);
    SeqPoint since;
    reader.require("epoch");
    read_count(reader, "epoch", since.epoch);
    reader.require("seq");
    read_count(reader, "seq", since.seq);
    pass_on(outer, "since", reader);
    out = since;
}

void read_after(ObjectReader& outer, std::optional<AttemptKey>& out) {
    const Json* json = outer.member("after");
    if (!json) return;
    AttemptKey after;
    if (auto done = read(*json, "after", after); !done)
        return outer.fail("after", "is wrong: " + done.error().message);
    out = std::move(after);
}

Result<void> read_message(const Json& json, StatusQuery& out) {
    ObjectReader reader(json);
    read_proto(reader);
    reader.boolean("snapshot", out.snapshot);
    if (auto done = read_list(reader, "keys", kBatchMax, out.keys); !done) return done;
    read_after(reader, out.after);
    read_since(reader, out.since);
    reader.boolean("digest", out.digest);
    std::vector<std::string> instances;
    reader.texts("instances", instances);
    if (!instances.empty() && instances.size() != out.keys.size())
        reader.fail("instances", "must be one for each of keys");
    for (std::string& id : instances) out.instances.push_back(InstanceId{std::move(id)});
    const int questions =
        int{out.snapshot} + int{!out.keys.empty()} + int{out.since.has_value()} + int{out.digest};
    if (questions > 1) reader.fail("keys", "snapshot, since, digest: only one of them a call");
    if (out.after && !out.snapshot) reader.fail("after", "goes with snapshot");
    return reader.finish();
}

Result<void> read_message(const Json& json, StatusAnswer& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_id(reader, "host", out.host.text, Presence::required);
    reader.require("epoch");
    read_count(reader, "epoch", out.epoch);
    read_count(reader, "last_seq", out.last_seq);
    reader.boolean("complete", out.complete);
    // A wrong entry refuses the answer as a whole: left out, it would look like a lost attempt.
    if (auto done = read_list(reader, "entries", kBatchMax, out.entries); !done) return done;
    if (auto done = read_list(reader, "unknown", kBatchMax, out.unknown); !done) return done;
    if (auto done = read_list(reader, "unheard", kBatchMax, out.unheard); !done) return done;
    reader.boolean("more", out.more);
    read_digest_of_attempts(reader, out.digest);
    return reader.finish();
}

}  // namespace

template <class Message>
Result<Message> decode(std::string_view text) {
    return decode_with<Message>(
        text, [](const Json& json, Message& out) { return read_message(json, out); });
}

template Result<StatusQuery> decode<StatusQuery>(std::string_view);
template Result<StatusAnswer> decode<StatusAnswer>(std::string_view);

}  // namespace longhaul::wire
