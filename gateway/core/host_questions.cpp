// HostTable: what is to be asked of hosts, and how far their answers bring us.
#include "gateway/core/host_table.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kNamesMax = 500;  // of one question

}  // namespace

std::optional<HostQuestion> HostTable::question(const HostId& id) const {
    const Host* host = find(id);
    if (!host || !host->known || host->question == Question::none || host->ask_at)
        return std::nullopt;
    // It is asked when it is back. For what runs there it is worth trying before.
    if (host->suspect && host->attempts.empty()) return std::nullopt;
    HostQuestion question;
    question.kind = host->question;
    question.address = host->news.address;
    question.epoch = host->news.epoch;
    question.since = host->known_seq;
    question.after = host->cursor;
    if (question.kind == Question::named) {
        const std::size_t count = std::min(host->absent.size(), kNamesMax);
        question.names.assign(host->absent.begin(),
                              host->absent.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return question;
}

// The greater question includes the lesser. A snapshot begins anew: what it looked at before may
// have been another life.
void HostTable::raise(Host& host, Question question, std::optional<TimePoint> at) {
    if (question == Question::snapshot) {
        host.cursor.reset();
        host.absent.clear();
    }
    const bool is_open = host.question != Question::none;
    host.question = std::max(host.question, question);
    if (!at)
        host.ask_at.reset();
    else if (!is_open)
        host.ask_at = at;
    else if (host.ask_at)
        host.ask_at = std::min(*host.ask_at, *at);
}

void HostTable::ask(const HostId& id, Question question) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    raise(*host, question, std::nullopt);
}

void HostTable::ask_later(const HostId& id, Question question, TimePoint at) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    raise(*host, question, at);
}

void HostTable::put_off(const HostId& id, TimePoint at) {
    Host* host = place(id);
    if (!host || host->question == Question::none) return;
    const Touch touch(*this, *host);
    host->ask_at = at;
}

void HostTable::expect(const HostId& id, const AttemptName& attempt, TimePoint at) {
    Host* host = place(id);
    if (!host || !host->attempts.contains(attempt)) return;
    const Touch touch(*this, *host);
    host->unheard.insert_or_assign(attempt, at);
    if (!host->unheard_at) host->unheard_at = at;
}

void HostTable::heard_of(const HostId& id, const AttemptName& attempt) {
    Host* host = place(id);
    if (host) host->unheard.erase(attempt);
}

// One question at a time. A snapshot finds out by itself.
bool HostTable::asks_unheard(const Host& host) {
    // Or by name, with those that the host has yet to find out about.
    const bool waits = host.question == Question::named && host.ask_at;
    return host.unheard_at && host.known && (host.question == Question::none || waits);
}

bool HostTable::ask_unheard(TimePoint now, Host& host) {
    host.unheard_at.reset();
    for (auto place = host.unheard.begin(); place != host.unheard.end();) {
        if (place->second <= now) {
            host.absent.push_back(place->first);
            place = host.unheard.erase(place);
            continue;
        }
        host.unheard_at = std::min(host.unheard_at.value_or(place->second), place->second);
        ++place;
    }
    if (host.absent.empty()) return false;
    host.question = Question::named;
    return true;
}

void HostTable::answered(TimePoint now, const HostAnswer& answer, bool is_unproven,
                         TimePoint again_at) {
    Host* host = place(answer.host);
    if (!host || answer.asked != host->question) return;  // a greater one was raised meanwhile
    const Touch touch(*this, *host);
    if (is_unproven) {
        host->ask_at = again_at;
        return;
    }
    switch (answer.asked) {
    case Question::snapshot:
        if (answer.after != host->cursor) return;  // begun anew meanwhile
        take_page(*host, answer, again_at);
        if (answer.next) return;
        host->known_seq = std::max(host->known_seq, host->snapshot_seq);
        break;
    case Question::named: take_named(*host, answer); break;
    case Question::delta:
        // A piece that brings nothing would be asked for again and again.
        if (answer.more && answer.last_seq <= host->known_seq) host->ask_at = again_at;
        host->known_seq = std::max(host->known_seq, answer.last_seq);
        break;
    case Question::digest:
    case Question::none: break;
    }
    host->last_seq = std::max(host->last_seq, host->known_seq);
    if (answer.asked != Question::delta || !answer.more) settle(now, *host);
    // At once only where there are others, and where the last answer brought something.
    const bool none_left = host->absent.size() <= answer.unheard.size();
    const bool none_heard = answer.unheard.size() >= kNamesMax;
    if (host->question == Question::named && (none_left || none_heard)) host->ask_at = again_at;
}

// What the host could not find out is asked again, after the others.
void HostTable::take_named(Host& host, const HostAnswer& answer) {
    const std::size_t asked = std::min(host.absent.size(), kNamesMax);
    host.absent.erase(host.absent.begin(),
                      host.absent.begin() + static_cast<std::ptrdiff_t>(asked));
    for (const AttemptName& attempt : answer.unheard)
        if (host.attempts.contains(attempt)) host.absent.push_back(attempt);
}

void HostTable::take_page(Host& host, const HostAnswer& page, TimePoint again_at) {
    if (!page.after) host.snapshot_seq = page.last_seq;
    std::set<AttemptName> named;
    for (const AttemptReport& report : page.reports) named.emplace(report.id, report.attempt);
    auto ours = page.after ? host.attempts.upper_bound(*page.after) : host.attempts.begin();
    for (; ours != host.attempts.end() && (!page.next || *ours <= *page.next); ++ours)
        if (!named.contains(*ours)) host.absent.push_back(*ours);
    // A page that ends where it began, as above.
    if (page.next && page.next <= host.cursor) host.ask_at = again_at;
    host.cursor = page.next;
}

// Nothing more to ask, unless something was absent, or it is heard of more than is known; that may
// be on its way.
void HostTable::settle(TimePoint now, Host& host) {
    host.ask_at.reset();
    const bool knows_all = host.known_seq == host.last_seq;
    host.question = !host.absent.empty() ? Question::named
                    : knows_all          ? Question::none
                                         : Question::delta;
    if (host.question == Question::delta) host.ask_at = now + times_.overtaken;
}

}  // namespace longhaul::gateway
