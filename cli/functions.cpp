// longhaul functions list|get|rm: what is deployed.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr std::string_view kExamples =
    "  longhaul functions list\n"
    "  longhaul functions get report -o json\n"
    "  longhaul functions rm report\n";

std::string plain(const Json& value) {
    if (value.is_null()) return "-";
    if (const auto* text = value.as_string()) return *text;
    return value.dump();
}

std::string short_digest(const Json& value) {
    const std::string text = plain(value);
    return text.starts_with("sha256:") ? text.substr(7, 12) : text;
}

class Functions final : public Command {
public:
    Functions(CLI::App& app, const Globals& globals)
        : Command(app, globals, "functions", "List, show or remove functions",
                  std::string(kExamples)) {
        sub().require_subcommand(1);
        list_ = sub().add_subcommand("list", "All functions");
        get_ = sub().add_subcommand("get", "One function's document");
        remove_ = sub().add_subcommand("rm", "Remove a function that has no live work");
        get_->add_option("name", name_, "Name of the function")->required();
        remove_->add_option("name", name_, "Name of the function")->required();
    }

    int run() override {
        auto client = make_client();
        if (list_->parsed()) return list(client);
        auto name = parse_function_name(name_);
        if (!name) return report(name.error());
        if (get_->parsed()) return get(client, *name);
        if (auto removed = client.delete_function(*name); !removed) return report(removed.error());
        print("removed " + name_ + "\n");
        return kExitOk;
    }

private:
    int list(client::BlockingClient& client) {
        auto answer = client.list_functions();
        if (!answer) return report(answer.error());
        if (globals().json()) {
            print((*answer)["functions"].dump_pretty() + "\n");
            return kExitOk;
        }
        std::vector<std::vector<std::string>> rows{
            {"NAME", "MODE", "RUNS", "AT ONCE", "TIMEOUT", "PACKAGE", "VERSION"}};
        if (const auto* functions = (*answer)["functions"].as_array())
            for (const Json& document : *functions) {
                const bool is_handler = plain(document["mode"]) == "handler";
                rows.push_back({plain(document["name"]), plain(document["mode"]),
                                plain(is_handler ? document["handler"] : document["command"]),
                                plain(document["max_running"]), plain(document["timeout"]),
                                short_digest(document["package"]),
                                short_digest(document["version"])});
            }
        print(format_table(rows));
        return kExitOk;
    }

    int get(client::BlockingClient& client, const FunctionName& name) {
        auto document = client.get_function(name);
        if (!document) return report(document.error());
        if (globals().json()) {
            print(document->dump_pretty() + "\n");
            return kExitOk;
        }
        std::vector<std::vector<std::string>> rows;
        if (const auto* members = document->as_object())
            for (const auto& [key, value] : *members) rows.push_back({key, plain(value)});
        print(format_table(rows));
        return kExitOk;
    }

    CLI::App* list_ = nullptr;
    CLI::App* get_ = nullptr;
    CLI::App* remove_ = nullptr;
    std::string name_;
};

}  // namespace

CommandPtr make_functions(CLI::App& app, const Globals& globals) {
    return std::make_unique<Functions>(app, globals);
}

}  // namespace longhaul::cli
