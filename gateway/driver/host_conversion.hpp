// Between the words of the wire (wire/host_messages.hpp) and those of the core (core/event.hpp).
#pragma once

#include "gateway/core/event.hpp"
#include "longhaul/wire/host_messages.hpp"

namespace longhaul::gateway {

// `now` turns "ms ago" into points in time.
[[nodiscard]] AttemptReport to_report(const wire::StatusEntry& entry, const HostId& host,
                                      TimePoint now);
[[nodiscard]] HostNews to_news(const wire::HostAnnouncement& announcement);
[[nodiscard]] wire::StatusQuery to_query(const HostQuestion& question);
[[nodiscard]] HostAnswer to_answer(const wire::StatusAnswer& answer, const HostQuestion& question,
                                   TimePoint asked_at, TimePoint now);

}  // namespace longhaul::gateway
