// What the commands of `longhaul` share: the global options, the exit codes, and the shape of a
// command. Each command is one file; commands.hpp lists them all.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/client/blocking.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace longhaul::cli {

// Documented in `longhaul --help`: scripts depend on them, do not change.
enum ExitCode : int {
    kExitOk = 0,           // done; the invocation succeeded
    kExitFailed = 1,       // the invocation failed
    kExitUsage = 2,        // the command line, a file or a value is wrong
    kExitUnreachable = 3,  // no longhaul answered
    kExitNotFound = 4,     // no such invocation, function or host, or no longer
    kExitRefused = 5,      // a limit, or a state that does not allow it
    kExitStopped = 6,      // the invocation timed out, was cancelled, killed or expired
    kExitServer = 7,       // the server had a problem of its own, or cannot do it yet
};

struct Globals {
    std::string server = "http://127.0.0.1:7070";
    std::string server_named_by = "the default";  // for messages: "from --server"
    std::string tenant{};
    std::string output = "table";

    [[nodiscard]] bool json() const { return output == "json"; }
    [[nodiscard]] client::ClientOptions client_options() const;
};

class Command {
public:
    // Adds the subcommand to `app`. `examples` is shown after its options in --help.
    Command(CLI::App& app, const Globals& globals, std::string name, std::string description,
            std::string examples);
    virtual ~Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    // Whether the command line named this one.
    [[nodiscard]] bool chosen() const { return sub_.parsed(); }
    // Does it; returns the exit code. REQUIRES chosen().
    virtual int run() = 0;

protected:
    [[nodiscard]] CLI::App& sub() { return sub_; }
    [[nodiscard]] const Globals& globals() const { return globals_; }
    [[nodiscard]] client::BlockingClient make_client() const;

private:
    CLI::App& sub_;
    const Globals& globals_;
};

[[nodiscard]] int exit_code_of(const Error& error);
[[nodiscard]] int exit_code_of(State state);

// Prints "longhaul: message" to stderr and returns the exit code.
int report(const Error& error);

}  // namespace longhaul::cli
