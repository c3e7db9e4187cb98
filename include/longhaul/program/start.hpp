// How a server program of longhaul begins: its command line, its configuration from file,
// environment and flags, and the answers that need no server (--help, --version, --check,
// --print-config).
//
//     program::Start start{kProgram, argc, argv};
//     auto config = gateway::read_config(start.reader());
//     if (auto code = start.settle(config)) return *code;
//
// Of a setting the flag wins over the environment variable, that over the file, that over the
// default. All problems of all sources are told together. Exit codes: 0, or 2 where the
// configuration is wrong.
//
// Used by main() alone, before there is a second thread.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/base/log.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::program {

// A flag that sets one setting: {"--listen", "listen", "ADDRESS", "where callers are served"}.
struct Flag {
    std::string name;
    std::string setting;
    std::string value;
    std::string help;
};

struct Program {
    std::string name;      // "gateway"; its variables begin with LONGHAUL_GATEWAY_
    std::string purpose;   // how --help begins
    std::string examples;  // and how it ends
    std::vector<Flag> flags;
};

class Start {
public:
    Start(const Program& program, int argc, char** argv);
    ~Start();
    Start(const Start&) = delete;
    Start& operator=(const Start&) = delete;

    // For the component's own settings; those that every program has are read.
    [[nodiscard]] ConfigReader& reader();

    // The exit code where there is nothing to run. What it has to say is printed.
    template <class Config>
    [[nodiscard]] std::optional<int> settle(const Result<Config>& config) {
        if (config) return settle_with(nullptr);
        const Error error = config.error();
        return settle_with(&error);
    }

    // REQUIRES settle() has given nothing.
    [[nodiscard]] Logger logger() const;
    [[nodiscard]] const std::string& ready_file() const;  // "" = not told
    [[nodiscard]] const std::string& name() const;

private:
    struct Impl;
    [[nodiscard]] std::optional<int> settle_with(const Error* error);

    std::unique_ptr<Impl> impl_;
};

// The effective configuration as TOML that can be read again; a secret is only said to be there.
[[nodiscard]] std::string effective_toml(std::string_view program,
                                         const std::vector<ConfigReader::Setting>& settings);

// `name` beside the own executable, or "" where that cannot be found.
[[nodiscard]] std::string beside_own_program(std::string_view name);

}  // namespace longhaul::program
