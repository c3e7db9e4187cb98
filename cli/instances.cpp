// longhaul instances: every process that a host keeps for a function, busy or idle.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul instances                           what each of them does\n"
    "  longhaul instances --function report         only those that serve this function\n"
    "  longhaul instances --host HOST -o json\n";

std::vector<std::string> row_of(const client::InstanceInfo& instance) {
    std::string does = "-";
    if (!instance.invocation.empty())
        does = fmt::format("{} (attempt {})", instance.invocation, instance.attempt);
    else if (instance.idle_since)
        does = "idle for " + age(instance.idle_since);
    return {instance.id.text,
            instance.host.text,
            instance.state,
            instance.function.empty() ? "-" : instance.function,
            fmt::format("{} MiB", instance.memory_mb),
            does};
}

class Instances final : public Command {
public:
    Instances(CLI::App& app, const Globals& globals)
        : Command(app, globals, "instances", "List the instances on all hosts, and what they do",
                  std::string(kExamples)) {
        sub().add_option("--function", function_, "Only of this function");
        sub().add_option("--host", host_, "Only on this host");
    }

    int run() override {
        auto client = make_client();
        auto list = client.list_instances();
        if (!list) return report(list.error());
        std::vector<std::vector<std::string>> rows{
            {"INSTANCE", "HOST", "STATE", "FUNCTION", "MEMORY", "DOES"}};
        wire::Json documents = wire::Json::array();
        for (std::size_t index = 0; index < list->instances.size(); ++index) {
            const client::InstanceInfo& instance = list->instances[index];
            if (!function_.empty() && instance.function != function_) continue;
            if (!host_.empty() && instance.host.text != host_) continue;
            rows.push_back(row_of(instance));
            documents.push((*list->document["instances"].as_array())[index]);
        }
        print(globals().json() ? documents.dump_pretty() + "\n" : format_table(rows));
        for (const std::string& host : list->unreachable)
            fmt::print(stderr, "longhaul: host {} did not answer: its instances are missing\n",
                       host);
        return list->unreachable.empty() ? kExitOk : kExitServer;
    }

private:
    std::string function_, host_;
};

}  // namespace

CommandPtr make_instances(CLI::App& app, const Globals& globals) {
    return std::make_unique<Instances>(app, globals);
}

}  // namespace longhaul::cli
