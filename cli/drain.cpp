// longhaul drain: a host that is to become empty, what still keeps it, and until when.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul::cli {
namespace {

using client::HostDrain;

constexpr Duration kTick = std::chrono::seconds(1);

constexpr std::string_view kExamples =
    "  longhaul drain HOST                          no new work; what runs may finish\n"
    "  longhaul drain HOST --by 10m --wait          what still runs after 10 minutes is stopped\n"
    "  longhaul drain HOST --show                   only look: what keeps it, and until when\n"
    "  longhaul drain HOST --undo                   it takes work again\n"
    "\n"
    "A run that the drain stops ends as failed, reason lost, with the drain as evidence.\n";

std::string until_of(const std::optional<TimePoint>& until) {
    return until ? format_rfc3339(*until) : "no limit known";
}

// The one that will keep the host longest: without a known end, or with the latest.
const HostDrain::Blocking* last_of(const HostDrain& drain) {
    const auto lasts_longer = [](const auto& left, const auto& right) {
        if (!left.until || !right.until) return left.until.has_value() && !right.until.has_value();
        return *left.until < *right.until;
    };
    const auto last = std::ranges::max_element(drain.blocking, lasts_longer);
    return last == drain.blocking.end() ? nullptr : &*last;
}

// "host-1 · 3 runs · until 2026-11-25T12:10:00.000Z · 0198… report running"
std::string progress_of(const HostDrain& drain) {
    const HostDrain::Blocking* last = last_of(drain);
    if (last == nullptr) return drain.host.text + " · its instances end";
    return fmt::format("{} · {} run{} · until {} · {} {} {}", drain.host.text,
                       drain.blocking.size(), drain.blocking.size() == 1 ? "" : "s",
                       until_of(last->until), last->id.text, last->function.text, last->state);
}

std::string describe(const HostDrain& drain) {
    if (!drain.draining) return drain.host.text + " takes work\n";
    std::string out = drain.host.text + (drain.drained ? " is drained" : " is draining");
    if (drain.drain_by && !drain.drained) out += ", by " + format_rfc3339(*drain.drain_by);
    if (!drain.reason.empty()) out += ": " + drain.reason;
    out += "\n";
    if (drain.blocking.empty()) return out;
    std::vector<std::vector<std::string>> rows{
        {"BLOCKED BY", "ATTEMPT", "FUNCTION", "STATE", "FOR", "UNTIL"}};
    for (const HostDrain::Blocking& blocking : drain.blocking)
        rows.push_back({blocking.id.text, std::to_string(blocking.attempt), blocking.function.text,
                        blocking.state, age(blocking.since), until_of(blocking.until)});
    return out + format_table(rows);
}

class Drain final : public Command {
public:
    Drain(CLI::App& app, const Globals& globals)
        : Command(app, globals, "drain", "Empty a host: no new work, what runs finishes",
                  std::string(kExamples)) {
        sub()
            .add_option("host", request_.host.text, "The host, as `longhaul hosts` names it")
            ->required();
        auto* by = sub().add_option("--by", request_.by,
                                    "What still runs after this time is stopped, e.g. 10m");
        auto* reason = sub().add_option("--reason", request_.reason, "Kept with the drain");
        auto* wait = sub().add_flag("-w,--wait", wait_, "Return when the host is empty");
        auto* undo = sub().add_flag("--undo", undo_, "It takes work again");
        auto* show = sub().add_flag("--show", show_, "Change nothing");
        undo->excludes(by)->excludes(reason)->excludes(wait);
        show->excludes(by)->excludes(reason)->excludes(undo);
    }

    int run() override {
        auto client = make_client();
        request_.drain = !undo_;
        auto drain = show_ ? client.get_drain(request_.host) : client.drain(request_);
        if (drain && wait_ && !drain->drained) drain = wait(client);
        if (!drain) return report(drain.error());
        print(globals().json() ? drain->document.dump_pretty() + "\n" : describe(*drain));
        // Somebody else has undone it meanwhile.
        return wait_ && !drain->drained ? kExitRefused : kExitOk;
    }

private:
    Result<HostDrain> wait(client::BlockingClient& client) {
        ProgressLine line;
        return client.wait_drained(request_.host, kTick, [&line](const HostDrain& drain) {
            line.show(progress_of(drain));
        });
    }

    client::DrainRequest request_;
    bool wait_ = false;
    bool undo_ = false;
    bool show_ = false;
};

}  // namespace

CommandPtr make_drain(CLI::App& app, const Globals& globals) {
    return std::make_unique<Drain>(app, globals);
}

}  // namespace longhaul::cli
