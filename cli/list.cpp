// longhaul list: invocations by function, state, label and time.
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace longhaul::cli {
namespace {

constexpr std::uint32_t kPageMax = 500;

constexpr std::string_view kExamples =
    "  longhaul list                                the 50 newest\n"
    "  longhaul list --state live --function report what is queued or runs\n"
    "  longhaul list --label team=a --since 2026-11-01T00:00:00Z --limit 1000\n";

class List final : public Command {
public:
    List(CLI::App& app, const Globals& globals)
        : Command(app, globals, "list", "List invocations, newest first", std::string(kExamples)) {
        sub().add_option("--function", filter_.function, "Only of this function");
        sub()
            .add_option("--state", filter_.states,
                        "Only in this state, or 'live' or 'ended'; may be given again")
            ->expected(1)
            ->take_all();
        sub()
            .add_option("--label", labels_, "k=v; may be given again: all must match")
            ->expected(1)
            ->take_all();
        sub().add_option("--since", filter_.since, "Created at or after (RFC 3339)");
        sub().add_option("--until", filter_.until, "Created before (RFC 3339)");
        sub().add_flag("--oldest-first", filter_.oldest_first, "The other order");
        sub()
            .add_option("-n,--limit", limit_, "At most so many")
            ->check(CLI::Range(1u, 1'000'000u))
            ->capture_default_str();
    }

    int run() override {
        for (const auto& text : labels_) {
            auto label = parse_label(text);
            if (!label) return report(label.error());
            filter_.labels.push_back(std::move(*label));
        }
        auto client = make_client();
        std::vector<std::vector<std::string>> rows{invocation_head()};
        wire::Json documents = wire::Json::array();
        std::uint32_t left = limit_;
        do {
            filter_.limit = std::min(left, kPageMax);
            auto page = client.list(filter_);
            if (!page) return report(page.error());
            for (auto& status : page->invocations) {
                if (left == 0) break;
                --left;
                if (globals().json()) {
                    documents.push(std::move(status.document));
                } else {
                    rows.push_back(invocation_row(status));
                }
            }
            filter_.cursor = page->next_cursor;
        } while (left > 0 && !filter_.cursor.empty());
        print(globals().json() ? documents.dump_pretty() + "\n" : format_table(rows));
        if (!globals().json() && !filter_.cursor.empty() && stderr_is_terminal())
            std::fprintf(stderr, "there are more: --limit shows them\n");
        return kExitOk;
    }

private:
    client::ListFilter filter_;
    std::vector<std::string> labels_;
    std::uint32_t limit_ = 50;
};

}  // namespace

CommandPtr make_list(CLI::App& app, const Globals& globals) {
    return std::make_unique<List>(app, globals);
}

}  // namespace longhaul::cli
