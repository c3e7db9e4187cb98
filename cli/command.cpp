#include "cli/command.hpp"

#include <cstdio>

namespace longhaul::cli {

client::ClientOptions Globals::client_options() const {
    client::ClientOptions options;
    options.server = server;
    options.server_named_by = server_named_by;
    options.tenant = tenant;
    return options;
}

Command::Command(CLI::App& app, const Globals& globals, std::string name, std::string description,
                 std::string examples)
    : sub_(*app.add_subcommand(std::move(name), std::move(description))), globals_(globals) {
    if (!examples.empty()) sub_.footer("Examples:\n" + examples);
}

client::BlockingClient Command::make_client() const {
    return client::BlockingClient(globals_.client_options());
}

int exit_code_of(const Error& error) {
    switch (error.code) {
    case Errc::invalid_argument:
    case Errc::io_failed: return kExitUsage;
    case Errc::unreachable:
    case Errc::timed_out: return kExitUnreachable;
    case Errc::not_found:
    case Errc::gone: return kExitNotFound;
    case Errc::conflict:
    case Errc::mismatch:
    case Errc::precondition:
    case Errc::too_large:
    case Errc::overloaded:
    case Errc::refused: return kExitRefused;
    case Errc::unavailable:
    case Errc::stale:
    case Errc::corrupt:
    case Errc::unsupported:
    case Errc::cancelled:
    case Errc::internal: break;
    }
    return kExitServer;
}

int exit_code_of(State state) {
    switch (state) {
    case State::succeeded: return kExitOk;
    case State::failed: return kExitFailed;
    case State::timed_out:
    case State::cancelled:
    case State::killed:
    case State::expired: return kExitStopped;
    default: return kExitOk;  // live: the question was answered
    }
}

int report(const Error& error) {
    std::fprintf(stderr, "longhaul: %s\n", error.message.c_str());
    return exit_code_of(error);
}

}  // namespace longhaul::cli
