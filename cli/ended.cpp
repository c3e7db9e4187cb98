// longhaul retry, purge, dead-letters, debug: what may be done with what has ended.
#include "cli/bulk.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace longhaul::cli {
namespace {

constexpr std::uint32_t kPageMax = 500;

class Retry final : public Command {
public:
    Retry(CLI::App& app, const Globals& globals)
        : Command(app, globals, "retry", "Submit again what has ended, as a new invocation",
                  "  longhaul retry ID                            prints the new one's id\n"
                  "  longhaul retry --function report --state failed\n"
                  "                                               each of them, once\n"),
          bulk_(sub()) {
        sub().add_option("id", id_.text, "The invocation's id; without: a filter");
    }

    int run() override {
        if (const int wrong = check_target(id_.text, bulk_)) return wrong;
        auto client = make_client();
        if (id_.empty()) return bulk_.run(client, globals(), "retry");
        auto made = client.retry(id_);
        if (!made) return report(made.error());
        if (globals().json())
            print_status(globals(), *made);
        else
            print(made->id.text + "\n");
        return kExitOk;
    }

private:
    BulkOptions bulk_;
    InvocationId id_;
};

class Purge final : public Command {
public:
    Purge(CLI::App& app, const Globals& globals)
        : Command(app, globals, "purge", "Delete what has ended, with its event and result",
                  "  longhaul purge ID\n"
                  "  longhaul purge --state succeeded --until 2026-11-01T00:00:00Z --dry-run\n"),
          bulk_(sub()) {
        sub().add_option("id", id_.text, "The invocation's id; without: a filter");
    }

    int run() override {
        if (const int wrong = check_target(id_.text, bulk_)) return wrong;
        auto client = make_client();
        if (id_.empty()) return bulk_.run(client, globals(), "purge");
        if (auto done = client.purge(id_); !done) return report(done.error());
        print("purged " + id_.text + "\n");
        return kExitOk;
    }

private:
    BulkOptions bulk_;
    InvocationId id_;
};

class DeadLetters final : public Command {
public:
    DeadLetters(CLI::App& app, const Globals& globals)
        : Command(app, globals, "dead-letters",
                  "List what failed for good and nobody has retried; or redrive one",
                  "  longhaul dead-letters --function report\n"
                  "  longhaul dead-letters redrive ID             as new; listed no more\n") {
        sub().add_option("--function", filter_.function, "Only of this function");
        sub().add_option("--since", filter_.since, "Created at or after (RFC 3339)");
        sub()
            .add_option("-n,--limit", limit_, "At most so many")
            ->check(CLI::Range(1u, 1'000'000u));
        redrive_ = sub().add_subcommand("redrive", "Submit it again, once, as a new invocation");
        redrive_->add_option("id", id_.text, "The invocation's id")->required();
    }

    int run() override {
        auto client = make_client();
        if (!redrive_->parsed()) return list(client);
        auto made = client.redrive(id_);
        if (!made) return report(made.error());
        if (globals().json())
            print_status(globals(), *made);
        else
            print(made->id.text + "\n");
        return kExitOk;
    }

private:
    int list(client::BlockingClient& client) {
        std::vector<std::vector<std::string>> rows{invocation_head()};
        wire::Json documents = wire::Json::array();
        std::uint32_t left = limit_;
        do {
            filter_.limit = std::min(left, kPageMax);
            auto page = client.dead_letters(filter_);
            if (!page) return report(page.error());
            for (auto& status : page->invocations) {
                rows.push_back(invocation_row(status));
                documents.push(std::move(status.document));
            }
            left -= std::min<std::uint32_t>(left, page->invocations.size());
            filter_.cursor = page->next_cursor;
        } while (left > 0 && !filter_.cursor.empty());
        print(globals().json() ? documents.dump_pretty() + "\n" : format_table(rows));
        return kExitOk;
    }

    client::ListFilter filter_;
    InvocationId id_;
    std::uint32_t limit_ = 50;
    CLI::App* redrive_ = nullptr;
};

class Debug final : public Command {
public:
    Debug(CLI::App& app, const Globals& globals)
        : Command(app, globals, "debug", "Everything that the gateway knows of one, as JSON",
                  "  longhaul debug ID\n") {
        sub().add_option("id", id_.text, "The invocation's id")->required();
    }

    int run() override {
        auto client = make_client();
        auto document = client.debug(id_);
        if (!document) return report(document.error());
        print(document->dump_pretty() + "\n");
        return kExitOk;
    }

private:
    InvocationId id_;
};

}  // namespace

CommandPtr make_retry(CLI::App& app, const Globals& globals) {
    return std::make_unique<Retry>(app, globals);
}

CommandPtr make_purge(CLI::App& app, const Globals& globals) {
    return std::make_unique<Purge>(app, globals);
}

CommandPtr make_dead_letters(CLI::App& app, const Globals& globals) {
    return std::make_unique<DeadLetters>(app, globals);
}

CommandPtr make_debug(CLI::App& app, const Globals& globals) {
    return std::make_unique<Debug>(app, globals);
}

}  // namespace longhaul::cli
