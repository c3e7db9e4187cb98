// longhaul hosts: the machines that work goes to, and how they stand.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr std::string_view kExamples =
    "  longhaul hosts\n"
    "  longhaul hosts -o json | jq '.[] | select(.draining)'\n"
    "  longhaul drain HOST --wait                   no new work for it, until it is empty\n";

std::int64_t number(const Json& value) {
    const auto* integer = value.as_integer();
    return integer ? *integer : 0;
}

std::string text(const Json& value) {
    const auto* string = value.as_string();
    return string ? *string : "-";
}

bool is_true(const Json& value) {
    const auto* flag = value.as_bool();
    return flag && *flag;
}

std::string state_of(const Json& host) {
    std::string state = is_true(host["reachable"]) ? "ready" : "silent";
    if (is_true(host["draining"])) state = state == "ready" ? "draining" : "draining, silent";
    return state;
}

std::vector<std::string> row_of(const Json& host) {
    const auto heard = std::chrono::milliseconds(number(host["last_heard_ms_ago"]));
    return {text(host["host"]),
            state_of(host),
            fmt::format("{} of {}", number(host["attempts"]),
                        number(host["capacity"]["instances_max"])),
            fmt::format("{} of {} MiB", number(host["memory_used_mb"]),
                        number(host["capacity"]["memory_mb"])),
            text(host["address"]),
            short_duration(heard) + " ago"};
}

class Hosts final : public Command {
public:
    Hosts(CLI::App& app, const Globals& globals)
        : Command(app, globals, "hosts", "List the hosts: state, what runs there, room",
                  std::string(kExamples)) {}

    int run() override {
        auto client = make_client();
        auto answer = client.list_hosts();
        if (!answer) return report(answer.error());
        if (globals().json()) {
            print((*answer)["hosts"].dump_pretty() + "\n");
            return kExitOk;
        }
        std::vector<std::vector<std::string>> rows{
            {"HOST", "STATE", "RUNS", "MEMORY", "ADDRESS", "HEARD"}};
        if (const auto* hosts = (*answer)["hosts"].as_array())
            for (const Json& host : *hosts) rows.push_back(row_of(host));
        print(format_table(rows));
        return kExitOk;
    }
};

}  // namespace

CommandPtr make_hosts(CLI::App& app, const Globals& globals) {
    return std::make_unique<Hosts>(app, globals);
}

}  // namespace longhaul::cli
