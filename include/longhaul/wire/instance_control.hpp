// What a host agent says to a runtime agent on its control socket, beside LoadRequest and KillOrder
// (host_messages.hpp). Every request carries "Authorization: Bearer <per-instance secret>".
//
//     POST /v1/assign   AssignRequest                     200 {} | 409 fenced | 409 busy
//     POST /v1/load     LoadRequest                       200 {state, trace} | 409 already-loaded |
//                                                         422 load-failed (the user's own fault)
//     GET  /v1/status                                     200 InstanceStatus
//     POST /v1/kill     {"orders": [one KillOrder]}       200 {"answers": [its KillAnswer]}
//     POST /v1/drain                                      202: ends after the current run
//     POST /v1/destroy                                    200 {"tree_gone": true}, then it exits
//
// A take: assign, then load (skipped where the instance is loaded), then the gateway starts the run
// on the data listener with "Authorization: Bearer <run_token>". Output of a load that follows an
// assign goes into that attempt's log.
#pragma once

#include "longhaul/wire/host_messages.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace longhaul::wire {

// Names the one run that may start next. The same again is a no-op; another replaces one that has
// not started. `run_token` opens the data listener for this run alone.
struct AssignRequest {
    AttemptKey key;
    Token token;
    std::string run_token;
};

[[nodiscard]] inline Json to_json(const AssignRequest& value) {
    Json json = Json::object();
    json.set("proto", kProto);
    json.set("invocation", value.key.invocation.text);
    json.set("attempt", std::int64_t{value.key.attempt});
    json.set("token", value.token.text);
    json.set("run_token", value.run_token);
    return json;
}

[[nodiscard]] inline Result<AssignRequest> decode_assign(const Json& json) {
    AssignRequest value;
    ObjectReader reader(json);
    std::int64_t proto = 0;
    std::string id;
    reader.integer("proto", proto, kProto, kProto);
    reader.text("invocation", id);
    reader.number("attempt", value.key.attempt, 1, 1'000'000);
    reader.text("token", value.token.text);
    reader.text("run_token", value.run_token);
    for (const char* name : {"proto", "invocation", "attempt", "token", "run_token"})
        reader.require(name);
    if (auto done = reader.finish(); !done) return done.error();
    auto parsed = parse_invocation_id(id);
    if (!parsed) return parsed.error();
    value.key.invocation = std::move(*parsed);
    return value;
}

}  // namespace longhaul::wire
