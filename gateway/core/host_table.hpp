// The hosts that work can go to, what of ours is on each, and what is to be asked of them.
//
// Pure bookkeeping. Silence changes nothing but `suspect`; a host is gone only after host_grace,
// and forgotten long after that. Each host numbers its changes: up to known_seq all were taken in;
// where it is heard of later ones, or is new, born again, or back, there is a question to it.
//
// Invariants (check_invariants() verifies them):
//   (1) `attempts` of a host are exactly the unended, unfenced attempts dispatched to it.
//   (2) The indices name exactly the hosts that may be given work, ordered by load, and the next
//       deadline of each: a step costs O(log hosts), whatever the others do.
//   (3) A host that is owed a fence gets no work before it was told.
//
// A run of a shared instance counts as its share of one: how full instances really are the host
// alone knows, and says so with no_capacity.
#pragma once

#include "gateway/core/event.hpp"
#include "longhaul/lifecycle/function_spec.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct HostTimes {
    Duration suspect_after = std::chrono::seconds(10);    // of silence
    Duration host_grace = std::chrono::minutes(5);        // of silence: then what ran there is lost
    Duration forget_after = std::chrono::hours(1);        // of silence, with nothing of ours there
    Duration full_for = std::chrono::milliseconds(200);   // after a refusal for capacity
    Duration overtaken = std::chrono::milliseconds(100);  // a batch may come after what counts it
    Duration digest_again = std::chrono::seconds(2);  // until one that differs is looked at anew
};

// Hosts that refused an invocation, and until when they are not asked again.
using Avoided = std::vector<std::pair<HostId, TimePoint>>;

struct Host {
    using LoadedCode = std::tuple<TenantName, FunctionName, Digest>;  // the package

    HostNews news;
    std::uint64_t known_seq = 0;  // everything up to it was taken in
    std::uint64_t last_seq = 0;   // the last one heard of
    TimePoint heard_at{};
    bool known = false;  // announced since the start; else only named by records
    bool held = false;   // told to drain, and has not answered yet: nothing goes there
    bool suspect = false;
    TimePoint suspect_at{};  // when its silence was noticed, where suspect
    std::optional<TimePoint> full_until{};

    // What is to be asked of it; not before ask_at, if there is one.
    Question question = Question::none;
    std::optional<TimePoint> ask_at{};
    std::optional<AttemptName> cursor{};  // of the snapshot: the pages up to here were taken in
    std::uint64_t snapshot_seq = 0;       // what its first page covers
    std::vector<AttemptName> absent{};    // ours, but not in the snapshot: to be asked by name

    std::set<AttemptName> attempts{};
    struct Fence {
        Token token;
        InstanceId instance{};  // that the attempt was sent to; "" = not known
    };
    std::map<AttemptName, Fence> fences{};  // owed to it
    // Started there under a lease, which only the runtime agent has told yet, and until when the
    // host has time to; none of them is due before unheard_at.
    std::map<AttemptName, TimePoint> unheard{};
    std::optional<TimePoint> unheard_at{};
    std::uint64_t assigned_mb = 0;
    std::uint64_t assigned_cpu = 0;
    std::uint64_t assigned_parts = 0;            // of instances, in millionths
    std::map<LoadedCode, std::uint32_t> idle{};  // as announced, less what we dispatched since

    // Of the indices.
    std::uint32_t load = 0;  // of what it has most of in use, in thousandths
    std::optional<TimePoint> due{};
};

class HostTable {
public:
    explicit HostTable(HostTimes times) : times_(times) {}
    HostTable(const HostTable&) = delete;  // the indices point into hosts_
    HostTable& operator=(const HostTable&) = delete;

    struct Heard {
        bool accepted = false;  // not of an epoch that is over
        bool returned = false;  // it was suspect
        bool asks = false;      // there is a new question to it
        bool room = false;      // work may go there that could not before
    };
    Heard announce(TimePoint now, const HostNews& news);
    // A batch of changes arrived. Without prev_seq what came before it is unknown.
    Heard advance(TimePoint now, const HostId& host, Epoch epoch,
                  std::optional<std::uint64_t> prev_seq, std::uint64_t last_seq);

    // The best host for the function, or nothing: an idle loaded instance, else the code in its
    // cache, else room; the least loaded of those; the first by name of equals.
    [[nodiscard]] const Host* choose(TimePoint now, const TenantName& tenant,
                                     const FunctionSpec& function,
                                     const Avoided& avoided = {}) const;

    // Whether any host may be given work at all.
    [[nodiscard]] bool has_ready() const { return !ready_.empty(); }
    // Whether a run of the function may go to this very host; whether it is full does not count.
    [[nodiscard]] static bool has_room(const Host& host, const FunctionSpec& function) {
        return has_room(host, memory_mb_of_run(function), cpu_millis_of_run(function));
    }
    [[nodiscard]] static bool has_room(const Host& host, std::uint32_t memory_mb,
                                       std::uint32_t cpu_millis);

    void assign(TimePoint now, const HostId& host, const std::string& address,
                const InvocationId& id, AttemptNumber attempt, const FunctionSpec& function);
    void release(const HostId& host, const InvocationId& id, AttemptNumber attempt,
                 const FunctionSpec& function);
    // A dispatch goes out: it will use up an idle instance, if there is one.
    void use_idle(const HostId& host, const TenantName& tenant, const FunctionSpec& function);

    // For full_for, doubled with each of `tries` after the first, up to 32 times that.
    void mark_full(TimePoint now, const HostId& host, std::uint32_t tries = 0);
    [[nodiscard]] Duration pause_after(std::uint32_t tries) const;

    void owe_fence(const HostId& host, const AttemptName& attempt, const Host::Fence& fence);
    // True: it was the last one that was owed.
    bool fence_told(const HostId& host, const AttemptName& attempt);

    // The host should tell of the attempt before `at`; else it is asked by name, with all others
    // that are due, once nothing else is asked of it.
    void expect(const HostId& host, const AttemptName& attempt, TimePoint at);
    void heard_of(const HostId& host, const AttemptName& attempt);

    // What is to be asked of the host now.
    [[nodiscard]] std::optional<HostQuestion> question(const HostId& host) const;
    void ask(const HostId& host, Question question);
    void ask_later(const HostId& host, Question question, TimePoint at);
    // The question that is open waits until `at`.
    void put_off(const HostId& host, TimePoint at);
    // An answer of its present epoch was taken in. `is_unproven`: it lacked attempts of ours and
    // was not complete; the question is put again.
    void answered(TimePoint now, const HostAnswer& answer, bool is_unproven, TimePoint again_at);

    // An order to drain goes out: nothing new goes there until its answer, which says whether the
    // host drains now (nothing: nobody knows, and its announcements go on to say).
    void hold(const HostId& host);
    void drain_answered(const HostId& host, std::optional<bool> draining);

    // What time has brought.
    struct Due {
        std::vector<HostId> suspect{};  // newly silent
        std::vector<HostId> gone{};     // silent beyond host_grace, with attempts
        std::vector<HostId> ask{};
        bool room = false;  // a full host may have room again
    };
    [[nodiscard]] Due tick(TimePoint now);
    // Hosts that have more room than when this was last asked, or room at all: only there can one
    // go now that could not before. Good until the next call.
    [[nodiscard]] std::vector<const Host*> take_roomier();
    // Forgets hosts that are silent for long and where nothing of ours is left.
    void forget_silent(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    [[nodiscard]] const Host* find(const HostId& host) const;
    [[nodiscard]] const std::map<HostId, Host>& all() const { return hosts_; }
    void check_invariants() const;

private:
    // What a host can still take; nothing where no work may go there.
    struct Room {
        std::int64_t memory_mb = 0;
        std::int64_t cpu_millis = 0;
        std::int64_t parts = 0;  // of instances
    };

    // Takes a host out of the indices that order by what may change, and puts it back at the end.
    class Touch {
    public:
        Touch(HostTable& table, Host& host);
        ~Touch();
        Touch(const Touch&) = delete;
        Touch& operator=(const Touch&) = delete;

    private:
        HostTable& table_;
        Host& host_;
        const Room before_;
    };
    struct ByName {
        bool operator()(const Host* left, const Host* right) const {
            return left->news.host < right->news.host;
        }
    };
    struct ByLoad {
        bool operator()(const Host* left, const Host* right) const {
            return left->load != right->load ? left->load < right->load : ByName{}(left, right);
        }
    };
    struct ByDue {
        bool operator()(const Host* left, const Host* right) const {
            return left->due != right->due ? left->due < right->due : ByName{}(left, right);
        }
    };
    using Named = std::set<const Host*, ByName>;

    Host& known_or_new(const HostId& id);
    Host* place(const HostId& id);
    [[nodiscard]] static bool takes_work(const Host& host);
    [[nodiscard]] static bool is_ready(const Host& host);
    [[nodiscard]] static bool asks_unheard(const Host& host);
    [[nodiscard]] static std::uint32_t load_of(const Host& host);
    [[nodiscard]] static Room room_of(const Host& host);
    [[nodiscard]] static bool fits(const Host& host, std::uint32_t memory_mb,
                                   std::uint32_t cpu_millis);
    [[nodiscard]] const Host* best_of(TimePoint now, const Named& hosts,
                                      const FunctionSpec& function, const Avoided& avoided) const;
    [[nodiscard]] std::vector<HostId> due_at(TimePoint now) const;
    [[nodiscard]] std::optional<TimePoint> due_of(const Host& host) const;
    [[nodiscard]] TimePoint gone_at(const Host& host) const;
    void set_news(Host& host, const HostNews& news);
    void set_idle(Host& host, const Host::LoadedCode& code, std::uint32_t count);
    static void raise(Host& host, Question question, std::optional<TimePoint> at);
    static void take_named(Host& host, const HostAnswer& answer);
    void take_page(Host& host, const HostAnswer& page, TimePoint again_at);
    void settle(TimePoint now, Host& host);
    // False: all of them were heard of meanwhile.
    static bool ask_unheard(TimePoint now, Host& host);
    void look_at(TimePoint now, Host& host, Due& due);

    const HostTimes times_;
    std::map<HostId, Host> hosts_;

    // Indices; they point into hosts_.
    std::set<const Host*, ByLoad> ready_;
    std::set<const Host*, ByDue> by_due_;
    std::map<Host::LoadedCode, Named> with_idle_;
    std::unordered_map<Digest, Named> with_package_;
    Named roomier_;
};

}  // namespace longhaul::gateway
