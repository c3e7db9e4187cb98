// status_service: host agents report to it in batches; it passes their changes on.
#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/local_bus.hpp"
#include "status_service/app.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace longhaul;
namespace asio = boost::asio;

struct Flags {
    std::string config_file;
    std::vector<std::string> set;  // "name=value"
    std::string log_level = "info";
};

Result<status_service::Config> load_config(const Flags& flags) {
    ConfigDocument document;
    if (!flags.config_file.empty()) {
        auto read = read_toml_file(flags.config_file);
        if (!read) return read.error();
        document = std::move(*read);
    }
    if (auto applied = apply_settings(document, flags.set); !applied) return applied.error();
    return status_service::read_config(document);
}

asio::awaitable<void> serve(asio::io_context& io, status_service::App& app, bool has_admin,
                            int& exit_code) {
    auto started = co_await app.start();
    if (started) {
        std::printf("status_service internal %s admin %s\n", app.address().c_str(),
                    has_admin ? app.admin_address().c_str() : "none");
        std::fflush(stdout);
        net::StopSignal signal(io.get_executor());
        (void)co_await signal.next();
    } else {
        std::fprintf(stderr, "status_service: %s\n", started.error().message.c_str());
        exit_code = 1;
    }
    co_await app.stop();
    io.stop();
}

int run(const status_service::Config& config, const Logger& logger) {
    asio::io_context io(1);
    system::SystemClock clock;
    system::LocalBus bus(io.get_executor());
    status_service::App app(io.get_executor(), {clock, bus}, config, logger);
    net::TaskGroup root(io.get_executor(), logger);
    int exit_code = 0;
    root.start("serve", serve(io, app, !config.admin_listen.empty(), exit_code));
    io.run();
    io.restart();
    io.poll();
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags;
    CLI::App cli{"status_service: collects what longhaul's host agents report"};
    cli.add_option("--config", flags.config_file, "TOML file");
    cli.add_option("--set", flags.set, "name=value, over the file; repeatable");
    cli.add_option("--log-level", flags.log_level, "debug, info, warning, error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    const auto as_set = [&](const char* flag, const char* name, const char* help) {
        cli.add_option_function<std::string>(
            flag,
            [&flags, name](const std::string& value) {
                flags.set.push_back(std::string(name) + "=" + value);
            },
            help);
    };
    as_set("--listen", "listen", "internal address (default 127.0.0.1:7080)");
    as_set("--admin-listen", "admin_listen", "admin address (default 127.0.0.1:7081)");
    CLI11_PARSE(cli, argc, argv);

    auto config = load_config(flags);
    if (!config) {
        std::fprintf(stderr, "status_service: %s\n", config.error().message.c_str());
        return 2;
    }
    LogLevel level = LogLevel::info;
    for (const LogLevel each : {LogLevel::debug, LogLevel::warning, LogLevel::error})
        if (to_string(each) == flags.log_level) level = each;
    return run(*config, Logger::to_stderr(level, LogFormat::text));
}
