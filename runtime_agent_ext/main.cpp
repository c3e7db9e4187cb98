// runtime_agent_ext: one instance of a function. `--help` lists its flags; `--exec` is the
// trampoline through which all processes are started (longhaul/process/trampoline.hpp).
#include "longhaul/base/log.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/process/trampoline.hpp"
#include "longhaul/system/clock.hpp"
#include "runtime_agent_ext/app.hpp"
#include "runtime_agent_ext/config.hpp"

#include <boost/asio/io_context.hpp>

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace lh = longhaul;

boost::asio::awaitable<void> run(boost::asio::io_context& context, lh::port::Clock& clock,
                                 const lh::Logger& logger,
                                 const lh::runtime_agent_ext::Config& config, int& exit_code) {
    auto done =
        co_await lh::runtime_agent_ext::run_app(context.get_executor(), clock, logger, config);
    if (!done) {
        logger.error("cannot run", {{"error", done.error().message}});
        exit_code = 1;
    }
    context.stop();
}

int run_agent(const lh::runtime_agent_ext::Config& config) {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::setsid();  // fails where it is a session of its own already
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const lh::Logger logger =
        lh::Logger::to_stderr(config.log_level, lh::LogFormat::text).named("runtime_agent_ext");
    lh::system::SystemClock clock;
    boost::asio::io_context context(1);
    lh::net::TaskGroup root(context.get_executor(), logger);
    int exit_code = 0;
    root.start("app", run(context, clock, logger, config, exit_code));
    context.run();
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "--exec") return lh::process::run_trampoline();
    // One thread: one arena, returned when it is large.
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    auto command = lh::runtime_agent_ext::parse_command_line({argv + 1, argv + argc});
    if (!command) {
        std::fprintf(stderr, "%s\n", command.error().message.c_str());
        return 2;
    }
    if (command->help) {
        std::fputs(lh::runtime_agent_ext::help_text().c_str(), stdout);
        return 0;
    }
    return run_agent(command->config);
}
