#include "cli/bulk.hpp"

#include "cli/describe.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

wire::Json document_of(const client::BulkDone& done, bool dry_run) {
    wire::Json by_reason = wire::Json::object();
    for (const auto& [reason, count] : done.by_reason) by_reason.set(reason, count);
    return wire::Json::object()
        .set("dry_run", dry_run)
        .set("matched", done.matched)
        .set("done", done.done)
        .set("refused", done.refused)
        .set("by_reason", std::move(by_reason))
        .set("stopped_by", done.stopped_by.empty() ? wire::Json() : done.stopped_by)
        .set("next_cursor", done.next_cursor.empty() ? wire::Json() : done.next_cursor);
}

}  // namespace

BulkOptions::BulkOptions(CLI::App& sub) {
    client::ListFilter& filter = request_.filter;
    sub.add_option("--function", filter.function, "All of this function");
    sub.add_option("--state", filter.states, "All in this state; may be given again")
        ->expected(1)
        ->take_all();
    sub.add_option("--label", labels_, "All with this label, k=v; may be given again")
        ->expected(1)
        ->take_all();
    sub.add_option("--since", filter.since, "Created at or after (RFC 3339)");
    sub.add_option("--until", filter.until, "Created before (RFC 3339)");
    sub.add_flag("--all", request_.all, "Without any filter");
    sub.add_flag("--dry-run", request_.dry_run, "Only count them");
}

bool BulkOptions::chosen() const {
    const client::ListFilter& filter = request_.filter;
    return request_.all || request_.dry_run || !filter.function.empty() || !filter.states.empty() ||
           !labels_.empty() || !filter.since.empty() || !filter.until.empty();
}

int BulkOptions::run(client::BlockingClient& client, const Globals& globals,
                     const std::string& verb, const client::StopRequest& wishes) {
    for (const auto& text : labels_) {
        auto label = parse_label(text);
        if (!label) return report(label.error());
        request_.filter.labels.push_back(std::move(*label));
    }
    request_.verb = verb;
    request_.grace = wishes.grace;
    request_.reason = wishes.reason;
    auto done = client.bulk(request_);
    if (!done) return report(done.error());
    const bool is_whole = done->stopped_by.empty();
    if (globals.json()) {
        print(document_of(*done, request_.dry_run).dump_pretty() + "\n");
        return is_whole ? kExitOk : kExitRefused;
    }
    std::string text = request_.dry_run ? fmt::format("{} would be matched", done->matched)
                                        : fmt::format("{} matched, {} done, {} refused",
                                                      done->matched, done->done, done->refused);
    for (const auto& [reason, count] : done->by_reason)
        text += fmt::format("\n  {} {}", count, reason);
    if (!is_whole) text += "\nstopped by " + done->stopped_by;
    print(text + "\n");
    return is_whole ? kExitOk : kExitRefused;
}

int check_target(const std::string& id, const BulkOptions& bulk) {
    if (id.empty() != bulk.chosen())
        return report(make_error(Errc::invalid_argument,
                                 "name an id, or choose many with --function, --state, --label, "
                                 "--since, --until or --all; not both"));
    return kExitOk;
}

}  // namespace longhaul::cli
