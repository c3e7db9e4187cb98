// What a simulated host tells unasked, and what it answers to questions about attempts. Batches and
// pages are small, so that there are many.
#include "longhaul/wire/problem_json.hpp"
#include "tests/sim/fake_host.hpp"

#include <algorithm>

namespace longhaul::sim {
namespace {

constexpr Duration kDigestEvery = std::chrono::seconds(30);
constexpr Duration kRetryAfter = std::chrono::milliseconds(300);
constexpr std::size_t kBatchMax = 3;
constexpr std::size_t kPageMax = 4;

}  // namespace

void FakeHost::announce_again() {
    send_report();
    clock_.call_at(clock_.now() + behaviour_.announces_every, [this] { announce_again(); });
}

// A change of one run: it has a sequence number even when nobody hears of it.
void FakeHost::publish(const RunKey& key) {
    if (!runs_.at(key).heard) return;
    runs_.at(key).seq = ++seq_;
    send_report();
}

std::vector<RunKey> FakeHost::changed_since(std::uint64_t seq) const {
    std::vector<RunKey> keys;
    for (const auto& [key, what] : runs_)
        if (what.seq > seq) keys.push_back(key);
    std::ranges::sort(keys, {}, [this](const RunKey& key) { return runs_.at(key).seq; });
    return keys;
}

AttemptDigest FakeHost::digest() const {
    AttemptDigest digest;
    for (const auto& [key, what] : runs_)
        if (what.heard)
            digest.add(key.first, key.second, static_cast<std::uint8_t>(entry_of(key, what).rank));
    return digest;
}

void FakeHost::send_report() {
    if (!up_ || reporting_) return;
    reporting_ = true;
    wire::Report report;
    report.host.host = HostId{name_};
    report.host.epoch = epoch_;
    report.host.last_seq = seq_;
    report.host.draining = draining_;
    report.host.address = name_;
    report.host.capacity = wire::HostCapacity{64'000, 64'000, behaviour_.instances_max};
    for (const RunKey& key : changed_since(sent_seq_)) {
        if (report.entries.size() == kBatchMax) {
            report.host.last_seq = runs_.at(key).seq - 1;
            notebook_.saw("reports in pieces");
            break;
        }
        report.entries.push_back(entry_of(key, runs_.at(key)));
    }
    if (!report.entries.empty()) report.first_seq = sent_seq_ + 1;
    const bool tells_all = report.host.last_seq == seq_;
    if (behaviour_.digests && tells_all && complete_ && digest_at_ <= clock_.now())
        report.host.digest = digest();
    const TimePoint arrives = clock_.now() + random_.up_to(std::chrono::milliseconds(20));
    clock_.call_at(arrives, [this, life = life_, report, text = wire::to_json(report).dump()] {
        if (life == life_ && up_) report_sent(report, text);
    });
}

void FakeHost::report_sent(const wire::Report& report, const std::string& text) {
    reporting_ = false;
    const auto answer = cut_ ? std::nullopt : status_.report(text);
    if (!answer) {
        clock_.call_at(clock_.now() + kRetryAfter, [this] { send_report(); });
        return;
    }
    sent_seq_ = answer->snapshot_please ? 0 : report.host.last_seq;
    if (report.host.digest) digest_at_ = clock_.now() + kDigestEvery;
    if (!changed_since(sent_seq_).empty()) send_report();
}

void FakeHost::confuse(test::FakeBus& bus) {
    const auto place = std::ranges::find_if(
        runs_, [](const auto& item) { return item.second.stage == Stage::running; });
    if (place == runs_.end() || !up_) return;
    notebook_.saw("reports under another token");
    wire::StatusBatch batch;
    batch.host = HostId{name_};
    batch.epoch = epoch_;
    batch.last_seq = seq_;
    batch.entries.push_back(entry_of(place->first, place->second));
    wire::StatusEntry& entry = batch.entries.back();
    entry.token = Token{"of-another-life"};
    entry.rank = wire::Rank::ended;
    entry.outcome = AttemptOutcome::succeeded;
    entry.version += 100;
    static_cast<void>(bus.publish("longhaul.v1.status.0", wire::to_json(batch).dump()));
}

bool FakeHost::settled_since(TimePoint when) const {
    return up_ && complete_ && settled_at_ <= when;
}

std::vector<FakeHost::Fact> FakeHost::facts() const {
    std::vector<Fact> facts;
    for (const auto& [key, what] : runs_)
        if (what.heard)
            facts.push_back({key, what.stage == Stage::running, what.stop_cause, what.ended_at,
                             what.end.result && !what.end.result->is_inline});
    return facts;
}

FakeHost::Response FakeHost::status(const std::string& body) {
    auto query = wire::decode<wire::StatusQuery>(body);
    if (!query) return test::make_response(400, wire::problem(query.error()).dump());
    wire::StatusAnswer answer;
    answer.host = HostId{name_};
    answer.epoch = epoch_;
    answer.last_seq = seq_;
    answer.complete = complete_;
    if (!complete_) notebook_.saw("incomplete answers");
    if (query->digest) {
        notebook_.saw("digests asked for");
        answer.digest = digest();
    } else if (query->snapshot) {
        answer_page(query->after, answer);
    } else if (query->since) {
        answer_delta(query->since->epoch == epoch_ ? query->since->seq : 0, answer);
    } else {
        answer_named(*query, answer);
    }
    notebook_.trace("host " + name_ + ": asked, names " + std::to_string(answer.entries.size()) +
                    (complete_ ? "" : ", is not complete"));
    return test::make_response(200, wire::to_json(answer).dump());
}

void FakeHost::answer_page(const std::optional<wire::AttemptKey>& after,
                           wire::StatusAnswer& answer) {
    auto place =
        after ? runs_.upper_bound(RunKey{after->invocation, after->attempt}) : runs_.begin();
    for (; place != runs_.end(); ++place) {
        if (!place->second.found || !place->second.heard) continue;
        if (answer.entries.size() == kPageMax) {
            answer.more = true;
            notebook_.saw("snapshots by pages");
            return;
        }
        answer.entries.push_back(entry_of(place->first, place->second));
        if (place->second.stage == Stage::running) notebook_.saw("runs found when asked");
        if (place->second.stage == Stage::ended) notebook_.saw("ends found when asked");
    }
}

void FakeHost::answer_delta(std::uint64_t since, wire::StatusAnswer& answer) {
    notebook_.saw("deltas");
    std::uint64_t covered = since;
    for (const RunKey& key : changed_since(since)) {
        if (answer.entries.size() == kPageMax) {
            answer.more = true;
            answer.last_seq = covered;
            return;
        }
        answer.entries.push_back(entry_of(key, runs_.at(key)));
        covered = runs_.at(key).seq;
    }
}

void FakeHost::answer_named(const wire::StatusQuery& query, wire::StatusAnswer& answer) {
    for (std::size_t index = 0; index < query.keys.size(); ++index) {
        const wire::AttemptKey& asked = query.keys[index];
        const RunKey key{asked.invocation, asked.attempt};
        const bool can_say = query.instances.empty() || settle(key, query.instances[index], false);
        const auto found = runs_.find(key);
        if (found != runs_.end() && found->second.found && found->second.heard)
            answer.entries.push_back(entry_of(key, found->second));
        else if (can_say)
            answer.unknown.push_back(asked);
        else
            answer.unheard.push_back(asked);
    }
    notebook_.saw("attempts asked for by name");
}

}  // namespace longhaul::sim
