// host_agent: one per machine. Starts runtime agents, keeps their results and logs, reports.
#include "host_agent/app.hpp"
#include "longhaul/blob/directory_blob_store.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/random.hpp"
#include "longhaul/system/workers.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <filesystem>
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

Result<host_agent::Config> load_config(const Flags& flags) {
    ConfigDocument document;
    if (!flags.config_file.empty()) {
        auto read = read_toml_file(flags.config_file);
        if (!read) return read.error();
        document = std::move(*read);
    }
    if (auto applied = apply_settings(document, flags.set); !applied) return applied.error();
    auto config = host_agent::read_config(document);
    if (!config) return config;
    std::error_code error;
    config->data_dir = std::filesystem::absolute(config->data_dir).string();
    if (config->blob_dir.empty()) config->blob_dir = config->data_dir + "/blobs";
    if (config->runtime_agent.empty()) {
        const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
        config->runtime_agent = (self.parent_path() / "runtime_agent_ext").string();
    }
    return config;
}

asio::awaitable<void> serve(asio::io_context& io, host_agent::App& app, int& exit_code) {
    auto started = co_await app.start();
    if (started) {
        std::printf("host_agent %s internal %s admin %s\n", app.host_id().c_str(),
                    app.address().c_str(), app.admin_address().c_str());
        std::fflush(stdout);
        net::StopSignal signal(io.get_executor());
        (void)co_await signal.next();
        co_await app.leave(signal);
    } else {
        std::fprintf(stderr, "host_agent: %s\n", started.error().message.c_str());
        exit_code = 1;
    }
    co_await app.stop();
    io.stop();
}

int run(const host_agent::Config& config, const Logger& logger) {
    asio::io_context io(1);
    system::SystemClock clock;
    system::SystemRandom random;
    system::PosixDisk disk;
    system::ThreadWorkers workers(4);
    net::ClientOptions client;
    client.secret = config.secret;
    net::HttpPeer peer(io.get_executor(), client);
    blob::DirectoryBlobStore blobs(disk, workers, {config.blob_dir});
    host_agent::App app(io.get_executor(), {clock, random, disk, workers, peer, blobs}, config,
                        logger);
    net::TaskGroup root(io.get_executor(), logger);
    int exit_code = 0;
    root.start("serve", serve(io, app, exit_code));
    io.run();
    io.restart();
    io.poll();
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags;
    CLI::App cli{"host_agent: runs the instances of one machine for longhaul"};
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
    as_set("--listen", "listen", "internal address (default 127.0.0.1:7090)");
    as_set("--admin-listen", "admin_listen", "admin address (default 127.0.0.1:7091)");
    as_set("--data-dir", "data_dir", "where everything of this host is kept");
    as_set("--status-service", "status_service", "its address (default 127.0.0.1:7080)");
    as_set("--drain-by", "drain_by",
           "at SIGTERM let what runs finish for so long, e.g. 10m, then stop it; a second SIGTERM "
           "ends at once (default: leave it running for the next host agent)");
    as_set("--blob-dir", "blob_dir", "directory of the blob store");
    as_set("--runtime-agent", "runtime_agent", "runtime_agent_ext (default: beside this program)");
    CLI11_PARSE(cli, argc, argv);

    auto config = load_config(flags);
    if (!config) {
        std::fprintf(stderr, "host_agent: %s\n", config.error().message.c_str());
        return 2;
    }
    LogLevel level = LogLevel::info;
    for (const LogLevel each : {LogLevel::debug, LogLevel::warning, LogLevel::error})
        if (to_string(each) == flags.log_level) level = each;
    return run(*config, Logger::to_stderr(level, LogFormat::text));
}
