// longhaul limits, longhaul queue: what may run at once, and what waits.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

#include <optional>

namespace longhaul::cli {
namespace {

using wire::Json;

std::string plain(const Json& value) {
    if (value.is_null()) return "-";
    if (const auto* text = value.as_string()) return *text;
    return value.dump();
}

// A line for each member that is no list.
std::string members_of(const Json& document) {
    std::vector<std::vector<std::string>> rows;
    if (const auto* members = document.as_object())
        for (const auto& [name, value] : *members)
            if (!value.as_array() && name != "next_cursor") rows.push_back({name, plain(value)});
    return format_table(rows);
}

class Limits final : public Command {
public:
    Limits(CLI::App& app, const Globals& globals)
        : Command(app, globals, "limits", "Show, or set, how much runs at once, and who runs",
                  "  longhaul limits                              and who holds the slots\n"
                  "  longhaul limits set --global-max 500 --tenant-max 50\n") {
        set_ = sub().add_subcommand("set", "Set them: at once, and over restarts");
        set_->add_option("--global-max", global_max_, "Attempts at once, all together");
        set_->add_option("--tenant-max", tenant_max_, "Attempts at once of a tenant; 0: no limit");
        set_->require_option(1, 2);
    }

    int run() override {
        Json change;
        if (set_->parsed()) {
            change = Json::object();
            if (global_max_) change.set("global_max", *global_max_);
            if (tenant_max_) change.set("tenant_max", *tenant_max_);
        }
        auto client = make_client();
        auto limits = client.limits(std::move(change));
        if (!limits) return report(limits.error());
        if (globals().json()) {
            print(limits->dump_pretty() + "\n");
            return kExitOk;
        }
        std::vector<std::vector<std::string>> rows{
            {"RUNNING", "ATTEMPT", "FUNCTION", "TENANT", "HOST", "SINCE"}};
        if (const auto* holders = (*limits)["holders"].as_array())
            for (const Json& holder : *holders)
                rows.push_back({plain(holder["id"]), plain(holder["attempt"]),
                                plain(holder["function"]), plain(holder["tenant"]),
                                plain(holder["host"]), plain(holder["since"])});
        print(members_of(*limits) + (rows.size() > 1 ? "\n" + format_table(rows) : ""));
        return kExitOk;
    }

private:
    CLI::App* set_ = nullptr;
    std::optional<std::int64_t> global_max_;
    std::optional<std::int64_t> tenant_max_;
};

class Queue final : public Command {
public:
    Queue(CLI::App& app, const Globals& globals)
        : Command(app, globals, "queue", "Show, pause, resume or purge a function's queue",
                  "  longhaul queue show report\n"
                  "  longhaul queue pause report                  what runs goes on\n"
                  "  longhaul queue purge report                  cancels what waits\n") {
        sub().require_subcommand(1);
        for (const auto& [verb, text] :
             {std::pair{"show", "How many wait and run, and why they wait"},
              std::pair{"pause", "Nothing more starts"}, std::pair{"resume", "Work starts again"},
              std::pair{"purge", "Cancel what waits"}})
            sub()
                .add_subcommand(verb, text)
                ->add_option("function", name_, "Name of the function")
                ->required();
    }

    int run() override {
        auto name = parse_function_name(name_);
        if (!name) return report(name.error());
        std::string verb = sub().get_subcommands().front()->get_name();
        if (verb == "show") verb.clear();
        auto client = make_client();
        auto answer = client.queue(*name, verb);
        // A long queue is purged in several calls.
        while (answer && verb == "purge" && !(*answer)["next_cursor"].is_null()) {
            print(members_of(*answer));
            answer = client.queue(*name, verb);
        }
        if (!answer) return report(answer.error());
        print(globals().json() ? answer->dump_pretty() + "\n" : members_of(*answer));
        return kExitOk;
    }

private:
    std::string name_;
};

}  // namespace

CommandPtr make_limits(CLI::App& app, const Globals& globals) {
    return std::make_unique<Limits>(app, globals);
}

CommandPtr make_queue(CLI::App& app, const Globals& globals) {
    return std::make_unique<Queue>(app, globals);
}

}  // namespace longhaul::cli
