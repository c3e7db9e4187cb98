// longhaul: the command line. It parses, finds the command that was named, and runs it; each
// command is one file (commands.hpp).
#include "cli/commands.hpp"
#include "cli/dev.hpp"

#include <cstdio>
#include <vector>

namespace {

using namespace longhaul::cli;

constexpr const char* kFooter =
    "First steps:\n"
    "  longhaul dev                                 the whole system, here, in one process\n"
    "  longhaul deploy examples/functions/report-python\n"
    "  longhaul submit report --data '{\"seconds\": 20}' --logs\n"
    "\n"
    "Exit codes:\n"
    "  0  done; with wait or submit --wait: the invocation succeeded\n"
    "  1  the invocation failed\n"
    "  2  the command line, a file or a value is wrong\n"
    "  3  no server answered\n"
    "  4  no such invocation or function, or no longer\n"
    "  5  refused: a limit, or a state that does not allow it\n"
    "  6  the invocation timed out, was cancelled, killed or expired\n"
    "  7  the server had a problem of its own, or cannot do it yet\n";

void add_globals(CLI::App& app, Globals& globals) {
    app.add_option("--server", globals.server, "The gateway's public address")
        ->envname("LONGHAUL_SERVER")
        ->capture_default_str();
    app.add_option("--tenant", globals.tenant, "Act for this tenant")->envname("LONGHAUL_TENANT");
    app.add_option("-o,--output", globals.output, "How to print: table or json")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
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
    add_globals(app, globals);
    int exit_code = kExitOk;
    add_dev(app, exit_code);
    const CommandPtr commands[] = {
        make_deploy(app, globals),    make_submit(app, globals), make_get(app, globals),
        make_wait(app, globals),      make_result(app, globals), make_logs(app, globals),
        make_cancel(app, globals),    make_kill(app, globals),   make_list(app, globals),
        make_functions(app, globals), make_version(app, globals)};
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitOk : kExitUsage;  // prints help, or what is wrong
    }
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
