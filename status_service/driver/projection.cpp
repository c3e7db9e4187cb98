#include "status_service/driver/projection.hpp"

#include <tuple>
#include <utility>

namespace longhaul::status_service {
namespace {

// A partition is the high bits of a shard, shard >> k. All shards are one partition here.
constexpr int kPartition = 0;
constexpr Duration kAnnounceInterval = std::chrono::seconds(2);

// Names of hosts become tokens of subjects.
bool is_token(std::string_view text) {
    if (text.empty() || text.size() > 128) return false;
    for (const char letter : text)
        if (letter <= ' ' || letter == '.' || letter == '*' || letter == '>' || letter == 0x7f)
            return false;
    return true;
}

}  // namespace

Projection::Projection(const port::Clock& clock, Logger logger, port::Bus& bus,
                       const RegistryLimits& limits, std::uint32_t statuses_max)
    : clock_(clock),
      logger_(std::move(logger)),
      bus_(bus),
      statuses_max_(statuses_max),
      registry_(limits) {}

Result<wire::ReportAnswer> Projection::report(wire::Report report) {
    ++counters_.reports;
    const HostId host = report.host.host;
    if (!is_token(host.text)) {
        ++counters_.refused;
        return make_error(Errc::invalid_argument,
                          "host: must be 1 to 128 characters without space, '.', '*' and '>'");
    }
    if (report.entries.size() > wire::kBatchMax) {
        ++counters_.refused;
        return make_error(Errc::too_large, "entries: at most " + std::to_string(wire::kBatchMax));
    }
    const ReportStamp stamp{host, report.host.epoch, report.first_seq, report.host.last_seq};
    auto verdict = registry_.report(clock_.now(), stamp);
    if (!verdict) return refuse(verdict.error(), host);
    if (verdict->new_epoch)
        std::erase_if(statuses_, [&host](const auto& known) { return known.second.host == host; });
    counters_.entries += report.entries.size();
    counters_.entries_refused += report.skipped.size();
    for (const wire::StatusEntry& entry : report.entries) keep(host, entry);

    wire::ReportAnswer answer;
    answer.accepted_seq = report.host.last_seq;
    answer.snapshot_please = verdict->snapshot_please;
    answer.refused = std::move(report.skipped);
    if (answer.snapshot_please) ++counters_.snapshots_asked;
    // Of a new host or epoch the announcement goes first: who learns of it is then ready for its
    // changes. Otherwise last: its last_seq would look like a gap before the changes it counts.
    const bool fresh = verdict->new_epoch || !spoken_.contains(host);
    const bool announces = is_news(report);
    const std::string announcement = "longhaul.v1.hosts." + host.text;
    if (fresh) publish(announcement, wire::to_json(report.host));
    if (verdict->publish_changes) publish_changes(*verdict, report);
    if (!fresh && announces) publish(announcement, wire::to_json(report.host));
    Spoken& spoken = spoken_[host];
    if (fresh || announces) spoken.published_at = clock_.now();
    spoken.said = std::move(report.host);
    if (spoken.drain_order == spoken.said.draining) spoken.drain_order.reset();
    answer.drain = spoken.drain_order;
    return answer;
}

Result<wire::ReportAnswer> Projection::refuse(Error error, const HostId& host) {
    ++counters_.refused;
    if (error.code != Errc::stale) return error;
    wire::ReportAnswer answer;
    answer.epoch_floor = registry_.hosts().at(host).epoch;
    return answer;
}

// What a busy host says of itself beside its changes is mostly what it said before.
bool Projection::is_news(const wire::Report& report) {
    const auto place = spoken_.find(report.host.host);
    if (place == spoken_.end() || report.entries.empty()) return true;
    Spoken& before = place->second;
    if (before.published_at + kAnnounceInterval <= clock_.now()) return true;
    before.said.last_seq = report.host.last_seq;
    before.said.digest.reset();
    return before.said != report.host;
}

void Projection::publish_changes(const ReportVerdict& verdict, wire::Report& report) {
    wire::StatusBatch batch;
    batch.host = report.host.host;
    batch.epoch = report.host.epoch;
    batch.prev_seq = verdict.prev_seq;
    batch.last_seq = report.host.last_seq;
    batch.entries = std::move(report.entries);
    publish("longhaul.v1.status." + std::to_string(kPartition), wire::to_json(batch));
}

Result<void> Projection::order_drain(const HostId& host, bool on) {
    const auto place = spoken_.find(host);
    if (place == spoken_.end())
        return make_error(Errc::not_found, "there is no host " + host.text, "unknown-host");
    place->second.drain_order = on;
    return {};
}

void Projection::publish(std::string subject, const wire::Json& message) {
    auto done = bus_.publish(std::move(subject), message.dump());
    if (done) {
        ++counters_.published;
        return;
    }
    // A gap in the numbers tells the receivers; they look up.
    ++counters_.not_published;
    logger_.debug("not_published", {{"reason", done.error().message}});
}

void Projection::keep(const HostId& host, const wire::StatusEntry& entry) {
    const auto [place, is_new] = statuses_.try_emplace(entry.key, Known{host, entry});
    if (!is_new) {
        const wire::StatusEntry& old = place->second.entry;
        if (old.rank == wire::Rank::ended ||
            std::tie(entry.rank, entry.version) <= std::tie(old.rank, old.version))
            return;
        place->second = Known{host, entry};
        return;
    }
    arrival_.push_back(entry.key);
    while (statuses_.size() > statuses_max_ && !arrival_.empty()) {
        statuses_.erase(arrival_.front());
        arrival_.pop_front();
    }
    // Keys that went with an epoch linger in the queue; it must not outgrow what it orders.
    while (arrival_.size() > 2 * std::size_t{statuses_max_}) arrival_.pop_front();
}

std::vector<wire::HostAnnouncement> Projection::hosts() const {
    std::vector<wire::HostAnnouncement> all;
    for (const auto& [id, spoken] : spoken_) all.push_back(spoken.said);
    return all;
}

TimePoint Projection::heard_at(const HostId& host) const {
    const auto place = registry_.hosts().find(host);
    return place == registry_.hosts().end() ? TimePoint{} : place->second.heard_at;
}

Duration Projection::silence(const HostId& host) const { return clock_.now() - heard_at(host); }

wire::StatusAnswer Projection::last_known(const wire::StatusQuery& query) const {
    wire::StatusAnswer answer;
    for (const wire::AttemptKey& key : query.keys) {
        const auto place = statuses_.find(key);
        if (place == statuses_.end())
            answer.unknown.push_back(key);
        else
            answer.entries.push_back(place->second.entry);
    }
    return answer;
}

void Projection::tick() {
    for (const HostId& gone : registry_.forget_silent(clock_.now())) {
        spoken_.erase(gone);
        std::erase_if(statuses_, [&gone](const auto& known) { return known.second.host == gone; });
        logger_.info("host_forgotten", {{"host", gone.text}});
    }
}

}  // namespace longhaul::status_service
