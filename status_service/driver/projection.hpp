// The registry with what the hosts said in full: announcements, and the last known status of runs;
// everything new goes on to the bus.
//
// Runs on one executor. All of it is lost with the process: hosts tell it anew when asked.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/port/bus.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "status_service/core/registry.hpp"

#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace longhaul::status_service {

struct ProjectionCounters {
    std::uint64_t reports = 0;
    std::uint64_t entries = 0;
    std::uint64_t refused = 0;    // reports
    std::uint64_t published = 0;  // messages
    std::uint64_t not_published = 0;
    std::uint64_t snapshots_asked = 0;
    std::uint64_t entries_refused = 0;
};

class Projection {
public:
    Projection(const port::Clock& clock, Logger logger, port::Bus& bus,
               const RegistryLimits& limits, std::uint32_t statuses_max);

    // Takes a report in and passes it on, unchanged. A report under an epoch that is over is not
    // taken in; the answer orders a greater one.
    [[nodiscard]] Result<wire::ReportAnswer> report(wire::Report report);

    // From now on each answer to the host orders it, until it says that it does. Errc::not_found.
    [[nodiscard]] Result<void> order_drain(const HostId& host, bool on);

    // The last announcement of each host.
    [[nodiscard]] std::vector<wire::HostAnnouncement> hosts() const;
    [[nodiscard]] TimePoint heard_at(const HostId& host) const;
    [[nodiscard]] Duration silence(const HostId& host) const;

    // What was last heard of each key; nothing of it is the truth.
    [[nodiscard]] wire::StatusAnswer last_known(const wire::StatusQuery& query) const;

    void tick();
    [[nodiscard]] const ProjectionCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t status_count() const { return statuses_.size(); }

private:
    struct Known {
        HostId host;
        wire::StatusEntry entry;
    };

    struct Spoken {
        wire::HostAnnouncement said;
        TimePoint published_at{};
        std::optional<bool> drain_order{};
    };

    void keep(const HostId& host, const wire::StatusEntry& entry);
    void publish(std::string subject, const wire::Json& message);
    void publish_changes(const ReportVerdict& verdict, wire::Report& report);
    [[nodiscard]] bool is_news(const wire::Report& report);
    [[nodiscard]] Result<wire::ReportAnswer> refuse(Error error, const HostId& host);

    const port::Clock& clock_;
    const Logger logger_;
    port::Bus& bus_;
    const std::uint32_t statuses_max_;

    Registry registry_;
    std::map<HostId, Spoken> spoken_;
    std::map<wire::AttemptKey, Known> statuses_;
    std::deque<wire::AttemptKey> arrival_;  // of statuses_, oldest first
    ProjectionCounters counters_;
};

}  // namespace longhaul::status_service
