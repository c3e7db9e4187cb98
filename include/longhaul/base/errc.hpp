// Every expected failure in longhaul, in one flat list.
//
// wire/problem_json.hpp maps each to an HTTP status and a problem type; nothing else decides one.
#pragma once

#include <cstdint>
#include <string_view>

namespace longhaul {

// Numbers travel in journals: do not change.
enum class Errc : std::uint8_t {
    invalid_argument = 1,  // the caller's input is wrong; the message names member and limit
    not_found = 2,         // unknown id, function, route, file
    conflict = 3,          // the thing exists or is in another state
    mismatch = 4,          // same key, other fingerprint (422)
    too_large = 5,         // over a size limit, which the message names
    overloaded = 6,        // a limit on count or rate: try later
    unavailable = 7,       // stopping, storage in doubt, a dependency gone: try later
    timed_out = 8,         // a deadline passed; the effect may or may not have happened
    unreachable = 9,       // no connection was made: certainly no effect
    refused = 10,          // the other side answered no
    stale = 11,            // an older owner term, token or epoch
    corrupt = 12,          // stored bytes fail their checks
    io_failed = 13,        // the disk or kernel said no; errno is in the message
    unsupported = 14,      // a later version brings it (501)
    cancelled = 15,        // shutdown or a caller that left
    gone = 16,             // it existed and its retention is over
    internal = 17,         // our own fault
    precondition = 18,     // it is no longer as the caller believes (412)
};

[[nodiscard]] std::string_view to_string(Errc code);

}  // namespace longhaul
