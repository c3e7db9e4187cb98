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
// A lease: at the end of a run the instance opens itself to one more (InstanceOffer), whose token
// only the host agent is told, and which that passes on or not. Whoever starts first under it has
// it; from then on it is as if that run had been named. It is taken back by assigning the instance
// to another run or to nobody, which a run that has started refuses with 409 busy.
#pragma once

#include "longhaul/wire/host_messages.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace longhaul::wire {

enum class AssignTo : std::uint8_t {
    run,  // `key` under `token`
    nobody,
};

// Says which run may start next. The same again is a no-op; another replaces one that has not
// started. `run_token` opens the data listener for this run alone.
struct AssignRequest {
    AttemptKey key;
    Token token;
    std::string run_token;
    AssignTo to = AssignTo::run;
};

[[nodiscard]] inline Json to_json(const AssignRequest& value) {
    Json json = Json::object();
    json.set("proto", kProto);
    if (value.to == AssignTo::run) {
        json.set("invocation", value.key.invocation.text);
        json.set("attempt", std::int64_t{value.key.attempt});
        json.set("token", value.token.text);
        json.set("run_token", value.run_token);
    } else {
        json.set("to", "nobody");
    }
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
        value.to = AssignTo::nobody;
        if (to != "nobody") reader.fail("to", "must be nobody");
    }
    reader.text("invocation", id);
    reader.number("attempt", value.key.attempt, 1, 1'000'000);
    reader.text("token", value.token.text);
    reader.text("run_token", value.run_token);
    if (value.to == AssignTo::run)
        for (const char* name : {"invocation", "attempt", "token", "run_token"})
            reader.require(name);
    if (auto done = reader.finish(); !done) return done.error();
    if (value.to != AssignTo::run) return value;
    auto parsed = parse_invocation_id(id);
    if (!parsed) return parsed.error();
    value.key.invocation = std::move(*parsed);
    return value;
}

}  // namespace longhaul::wire
