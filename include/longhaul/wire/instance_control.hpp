// What a host agent says to a runtime agent on its control socket, beside LoadRequest and KillOrder
// (host_messages.hpp). Every request carries "Authorization: Bearer <per-instance secret>".
//
//     POST /v1/assign   AssignRequest                     200 {} | 409 fenced | 409 busy
//                                                         (to nobody: 409 busy only)
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
//
// A lease: assigned to anyone, with the run token of the next run. Whoever starts first under it
// has it; from then on it is as if that run had been named. It is taken back by assigning the
// instance to another run or to nobody, which a run that has started refuses with 409 busy.
#pragma once

#include "longhaul/wire/host_messages.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace longhaul::wire {

enum class AssignTo : std::uint8_t {
    run,     // `key` under `token`
    anyone,  // one run, any, of an owner of the shard that is not older than `owner`
    nobody,
};

// Says which run may start next. The same again is a no-op; another replaces one that has not
// started. `run_token` opens the data listener for this run alone.
struct AssignRequest {
    AttemptKey key;
    Token token;
    std::string run_token;
    AssignTo to = AssignTo::run;
    Owner owner{};  // of the lease
};

[[nodiscard]] inline Json to_json(const AssignRequest& value) {
    Json json = Json::object();
    json.set("proto", kProto);
    if (value.to == AssignTo::run) {
        json.set("invocation", value.key.invocation.text);
        json.set("attempt", std::int64_t{value.key.attempt});
        json.set("token", value.token.text);
    } else {
        json.set("to", value.to == AssignTo::anyone ? "anyone" : "nobody");
    }
    if (value.to == AssignTo::anyone) {
        json.set("shard", std::int64_t{value.owner.shard});
        json.set("owner_term", value.owner.term);
    }
    if (value.to != AssignTo::nobody) json.set("run_token", value.run_token);
    return json;
}

[[nodiscard]] inline Result<AssignRequest> decode_assign(const Json& json) {
    AssignRequest value;
    ObjectReader reader(json);
    std::int64_t proto = 0;
    std::string id;
    std::string to;
    reader.integer("proto", proto, kProto, kProto);
    reader.require("proto");
    if (reader.text("to", to)) {
        if (to == "anyone")
            value.to = AssignTo::anyone;
        else if (to == "nobody")
            value.to = AssignTo::nobody;
        else
            reader.fail("to", "must be anyone or nobody");
    }
    reader.text("invocation", id);
    reader.number("attempt", value.key.attempt, 1, 1'000'000);
    reader.text("token", value.token.text);
    reader.text("run_token", value.run_token);
    reader.number("shard", value.owner.shard, 0, 4095);
    reader.number("owner_term", value.owner.term, 0, INT64_MAX);
    if (value.to == AssignTo::run)
        for (const char* name : {"invocation", "attempt", "token"}) reader.require(name);
    if (value.to == AssignTo::anyone)
        for (const char* name : {"shard", "owner_term"}) reader.require(name);
    if (value.to != AssignTo::nobody) reader.require("run_token");
    if (auto done = reader.finish(); !done) return done.error();
    if (value.to != AssignTo::run) return value;
    auto parsed = parse_invocation_id(id);
    if (!parsed) return parsed.error();
    value.key.invocation = std::move(*parsed);
    return value;
}

}  // namespace longhaul::wire
