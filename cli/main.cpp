// longhaul: the command line. It parses, finds the command that was named, and runs it; each
// command is one file (commands.hpp).
#include "cli/commands.hpp"
#include "cli/complete.hpp"
#include "cli/dev.hpp"
#include "cli/suggest.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace longhaul::cli;

constexpr const char* kFooter =
    "First steps:\n"
    "  longhaul dev                                 the whole system, here, in one process\n"
    "  longhaul deploy examples/functions/report-python\n"
    "  longhaul submit report --data '{\"seconds\": 20}' --logs\n"
    "  longhaul submit --help                       every command has examples\n"
    "  source <(longhaul completion bash)           completes commands, functions and ids\n"
    "\n"
    "Exit codes:\n"
    "  0  done; with wait or submit --wait: the invocation succeeded\n"
    "  1  the invocation failed\n"
    "  2  the command line, a file or a value is wrong\n"
    "  3  no longhaul answered: not running, another address, or something else is there\n"
    "  4  no such invocation, function or host, or no longer\n"
    "  5  refused: a limit, or a state that does not allow it\n"
    "  6  the invocation timed out, was cancelled, killed or expired\n"
    "  7  the server had a problem of its own, or cannot do it yet\n";

void add_globals(CLI::App& app, Globals& globals) {
    app.add_option("--server", globals.server, "The gateway's public address; also LONGHAUL_SERVER")
        ->capture_default_str();
    app.add_option("--tenant", globals.tenant, "Act for this tenant")->envname("LONGHAUL_TENANT");
    app.add_option("-o,--output", globals.output, "How to print: table or json")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    app.set_version_flag("--version", version_text());
}

// The environment first, as a default that the command line may replace.
void read_environment(Globals& globals) {
    const char* server = std::getenv("LONGHAUL_SERVER");
    if (server == nullptr || *server == '\0') return;
    globals.server = server;
    globals.server_named_by = "from LONGHAUL_SERVER";
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(sub->get_name());
    return names;
}

// The first word that should have been a command and is none; "" where all is well so far.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
    const auto known = command_names(app);
    for (int index = 1; index < argc; ++index) {
        const std::string word = argv[index];
        if (word == "--") return "";
        if (word.starts_with('-')) {
            const CLI::Option* option = app.get_option_no_throw(word);
            if (option && option->get_items_expected_max() > 0) ++index;  // its value
            continue;
        }
        return std::ranges::find(known, word) == known.end() ? word : "";
    }
    return "";
}

int refuse_command(const CLI::App& app, const std::string& word) {
    const std::string meant = nearest(word, command_names(app));
    const std::string advice = meant.empty() ? "" : "; did you mean '" + meant + "'?";
    std::fprintf(stderr, "longhaul: there is no command '%s'%s (`longhaul --help` lists all)\n",
                 word.c_str(), advice.c_str());
    return kExitUsage;
}

int run(int argc, char** argv) {
    CLI::App app(
        "longhaul runs functions that take seconds to hours: submit an event, have a durable "
        "answer at once, follow the run, get its result.",
        "longhaul");
    app.fallthrough();
    app.require_subcommand(1);
    app.footer(kFooter);
    Globals globals;
    read_environment(globals);
    add_globals(app, globals);
    int exit_code = kExitOk;
    add_dev(app, exit_code);
    const CommandPtr commands[] = {make_deploy(app, globals),       make_submit(app, globals),
                                   make_get(app, globals),          make_wait(app, globals),
                                   make_result(app, globals),       make_logs(app, globals),
                                   make_cancel(app, globals),       make_kill(app, globals),
                                   make_change(app, globals),       make_list(app, globals),
                                   make_retry(app, globals),        make_purge(app, globals),
                                   make_dead_letters(app, globals), make_debug(app, globals),
                                   make_trace(app, globals),        make_queue(app, globals),
                                   make_limits(app, globals),       make_functions(app, globals),
                                   make_hosts(app, globals),        make_instances(app, globals),
                                   make_drain(app, globals),        make_completion(app, globals),
                                   make_version(app, globals)};
    if (argc > 1 && std::string_view(argv[1]) == "__complete") {
        for (const std::string& each : candidates(app, globals, {argv + 2, argv + argc}))
            std::puts(each.c_str());
        return kExitOk;
    }
    if (const std::string word = unknown_command(app, argc, argv); !word.empty())
        return refuse_command(app, word);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitOk : kExitUsage;  // prints help, or what is wrong
    }
    if (app.count("--server") > 0) globals.server_named_by = "from --server";
    for (const auto& command : commands)
        if (command->chosen()) return command->run();
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "longhaul: %s\n", error.what());
        return kExitServer;
    }
}
