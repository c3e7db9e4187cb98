// A durable record as an event for the outside: CloudEvents 1.0 in JSON (PROTOCOL.md, "Events").
//
// Pure. Made of the record and of what never changes about its invocation, so that the same record
// gives the same event whenever it is published again.
#pragma once

#include "gateway/ledger/view.hpp"
#include "longhaul/port/event_sink.hpp"

#include <string>

namespace longhaul::gateway {

// REQUIRES: the record is about an invocation (change_of() or AcceptedRecord), which is `about`.
[[nodiscard]] port::OutgoingEvent event_of(const PositionedRecord& positioned,
                                           const Invocation& about, const std::string& source);

// Whether a record is told to the outside at all.
[[nodiscard]] bool is_event(const Record& record);

// What stands for events that will never be published: of positions `first` to `last`.
[[nodiscard]] port::OutgoingEvent gap_event(port::Position first, port::Position last,
                                            std::uint64_t count, TimePoint now,
                                            const std::string& source);

}  // namespace longhaul::gateway
