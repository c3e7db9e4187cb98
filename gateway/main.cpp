// gateway: reads its configuration, builds the parts, runs until a signal or until storage fails.
#include "gateway/app.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/local_bus.hpp"
#include "longhaul/system/random.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <optional>

namespace {

using namespace longhaul;

struct Flags {
    std::string config_file{};
    std::vector<std::string> settings{};
};

Result<gateway::Config> load_config(const Flags& flags) {
    ConfigDocument document;
    if (!flags.config_file.empty()) {
        auto read = read_toml_file(flags.config_file);
        if (!read) return read.error();
        document = std::move(*read);
    }
    if (auto set = apply_settings(document, flags.settings); !set) return set.error();
    return gateway::read_config(document);
}

// The written order of a life: start, wait, refuse, stop.
boost::asio::awaitable<void> live(gateway::App& app, net::StopSignal& signals, Logger logger,
                                  boost::asio::io_context& io,
                                  int& exit_code) {
    auto started = co_await app.start();
    if (started) {
        logger.info("ready", {{"public", app.public_address()},
                              {"internal", app.internal_address()},
                              {"admin", app.admin_address()}});
        co_await signals.next();
        app.refuse_new_work();
    } else {
        std::fprintf(stderr, "gateway: %s\n", started.error().message.c_str());
        exit_code = 1;
    }
    co_await app.stop();
    io.stop();  // what is left are timers of idle connections
}

int run(const gateway::Config& config, const Logger& logger) {
    boost::asio::io_context io{1};
    system::SystemClock clock;
    system::SystemRandom random;
    system::LocalBus bus{io.get_executor()};
    net::StopSignal signals{io.get_executor()};
    gateway::App app{io.get_executor(), clock, random, bus, config, logger, [](const Error& error) {
                         // I12: what was written is unknown, so nothing more is promised.
                         std::fprintf(stderr, "gateway: storage failed: %s\n",
                                      error.message.c_str());
                         std::_Exit(3);
                     }};
    net::TaskGroup tasks{io.get_executor(), logger};
    int exit_code = 0;
    tasks.start("life", live(app, signals, logger, io, exit_code));
    io.run();
    io.restart();
    io.poll();
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App parser{"The gateway of longhaul: HTTP in, durable, dispatched to host agents.",
                    "gateway"};
    Flags flags;
    parser.add_option("--config", flags.config_file, "A TOML file");
    parser.add_option("--set", flags.settings, "name=value; wins over the file")->type_size(1);
    CLI11_PARSE(parser, argc, argv);
    const auto config = load_config(flags);
    if (!config) {
        std::fprintf(stderr, "gateway: %s\n", config.error().message.c_str());
        return 2;
    }
    return run(*config, Logger::to_stderr(LogLevel::info, LogFormat::text).named("gateway"));
}
