#include "gateway/driver/host_conversion.hpp"

#include "longhaul/crypto/sha256.hpp"

namespace longhaul::gateway {
namespace {

TimePoint ago(TimePoint now, std::int64_t ms) { return now - std::chrono::milliseconds(ms); }

Content to_content(const wire::ResultReference& reference) {
    Content content;
    content.content_type = reference.content_type;
    content.size = reference.size;
    content.sha256 = reference.sha256;
    if (reference.is_inline) {
        content.inline_bytes = reference.bytes;
        content.size = reference.bytes.size();
        content.sha256 = crypto::sha256_hex(reference.bytes);
    }
    return content;
}

}  // namespace

AttemptReport to_report(const wire::StatusEntry& entry, const HostId& host, TimePoint now) {
    AttemptReport report;
    report.id = entry.key.invocation;
    report.attempt = entry.key.attempt;
    report.token = entry.token;
    report.host = host;
    report.instance = entry.instance;
    report.version = entry.version;
    report.rank = static_cast<std::uint8_t>(entry.rank);
    if (entry.started_ms_ago) report.started_at = ago(now, *entry.started_ms_ago);
    report.trace = entry.trace;
    report.usage = entry.usage;
    report.progress = entry.progress;
    report.silent = entry.silent;
    if (entry.lease)
        report.lease = OfferedLease{entry.lease->address, entry.lease->run_token,
                                    std::chrono::milliseconds(entry.lease->ms)};
    if (entry.rank != wire::Rank::ended || !entry.outcome) return report;
    ReportedEnd end;
    end.outcome = *entry.outcome;
    end.reason = entry.reason;
    if (entry.oom) end.reason = FailureReason::oom;
    end.message = entry.message;
    end.error_type = entry.error_type;
    end.exit_code = entry.exit_code;
    end.signal = entry.signal;
    end.http_status = entry.http_status;
    if (entry.retry_after_ms) end.retry_after = std::chrono::milliseconds(*entry.retry_after_ms);
    end.stop_cause = entry.stop_cause;
    end.sigkill_sent = entry.sigkill_sent;
    end.tree_gone = entry.tree_gone;
    if (entry.result) {
        end.result = to_content(*entry.result);
        end.result_is_remote = !entry.result->is_inline;
    }
    report.end = std::move(end);
    return report;
}

HostNews to_news(const wire::HostAnnouncement& announcement) {
    HostNews news;
    news.host = announcement.host;
    news.epoch = announcement.epoch;
    news.last_seq = announcement.last_seq;
    news.address = announcement.address;
    news.memory_mb = announcement.capacity.memory_mb;
    news.cpu_millis = announcement.capacity.cpu_millis;
    news.instances_max = announcement.capacity.instances_max;
    news.instances = announcement.instances;
    news.draining = announcement.draining;
    for (const wire::LoadedInstances& loaded : announcement.loaded)
        news.loaded.push_back({loaded.tenant, loaded.function, loaded.package, loaded.idle});
    news.packages = announcement.packages;
    news.digest = announcement.digest;
    return news;
}

wire::StatusQuery to_query(const HostQuestion& question) {
    wire::StatusQuery query;
    switch (question.kind) {
    case Question::none:
    case Question::digest: query.digest = true; break;
    case Question::delta: query.since = wire::SeqPoint{question.epoch, question.since}; break;
    case Question::named:
        for (const auto& [id, attempt] : question.names)
            query.keys.push_back(wire::AttemptKey{id, attempt});
        query.instances = question.instances;
        break;
    case Question::snapshot:
        query.snapshot = true;
        if (question.after)
            query.after = wire::AttemptKey{question.after->first, question.after->second};
        break;
    }
    return query;
}

HostAnswer to_answer(const wire::StatusAnswer& answer, const HostQuestion& question,
                     TimePoint asked_at, TimePoint now) {
    HostAnswer result;
    result.host = answer.host;
    result.epoch = answer.epoch;
    result.complete = answer.complete;
    result.asked_at = asked_at;
    result.asked = question.kind;
    result.last_seq = answer.last_seq;
    result.after = question.after;
    result.more = answer.more;
    result.digest = answer.digest;
    for (const wire::StatusEntry& entry : answer.entries)
        result.reports.push_back(to_report(entry, answer.host, now));
    for (const wire::AttemptKey& key : answer.unknown)
        result.unknown.emplace_back(key.invocation, key.attempt);
    for (const wire::AttemptKey& key : answer.unheard)
        result.unheard.emplace_back(key.invocation, key.attempt);
    if (question.kind == Question::snapshot && answer.more && !result.reports.empty())
        result.next.emplace(result.reports.back().id, result.reports.back().attempt);
    return result;
}

}  // namespace longhaul::gateway
