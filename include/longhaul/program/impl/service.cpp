#include "longhaul/program/service.hpp"

#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/system/service_manager.hpp"
#include "longhaul/wire/json.hpp"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace longhaul::program {
namespace {

namespace asio = boost::asio;

constexpr int kExitStartFailed = 1;
constexpr int kExitStorageFailed = 3;

class Life {
public:
    Life(asio::io_context& io, port::Clock& clock, const Logger& logger, const std::string& name,
         const std::string& ready_file, Service& service)
        : io_(io),
          clock_(clock),
          name_(name),
          ready_file_(ready_file),
          service_(service),
          signals_(io.get_executor()),
          tasks_(io.get_executor(), logger) {}

    // The written order of a life.
    asio::awaitable<void> live(int& exit_code) {
        forget_ready();
        manager_.notify("STATUS=starting");
        auto started = co_await service_.start();
        if (started) {
            announce(*started);
            if (manager_.watchdog_interval()) tasks_.start("watchdog", feed_watchdog());
            (void)co_await signals_.next();
            manager_.notify("STOPPING=1\nSTATUS=stopping");
            service_.refuse_new_work();
            co_await service_.leave(signals_);
        } else {
            std::fprintf(stderr, "%s: %s\n", name_.c_str(), started.error().message.c_str());
            exit_code = kExitStartFailed;
        }
        co_await service_.stop();
        forget_ready();
        tasks_.cancel();
        co_await tasks_.join();
        io_.stop();  // what is left are timers of idle connections, which nobody waits for
    }

private:
    asio::awaitable<void> feed_watchdog() {
        while (!tasks_.cancelled()) {
            manager_.notify("WATCHDOG=1");
            const TimePoint next = clock_.now() + *manager_.watchdog_interval() / 2;
            co_await clock_.wait_until(next);
        }
    }

    void announce(const Service::Facts& facts) {
        std::string line;
        wire::Json ready = wire::Json::object();
        ready.set("program", name_).set("version", LONGHAUL_VERSION);
        ready.set("pid", std::int64_t{::getpid()});
        for (const auto& [key, value] : facts) {
            ready.set(key, value);
            line += " " + key + " " + value;
        }
        if (!ready_file_.empty()) write_ready(ready.dump() + "\n");
        std::printf("%s ready:%s\n", name_.c_str(), line.c_str());
        std::fflush(stdout);
        manager_.notify("READY=1\nSTATUS=ready:" + line);
    }

    // Whole or not at all, for whoever watches for it.
    void write_ready(const std::string& text) const {
        const std::string temporary = ready_file_ + ".new";
        std::ofstream(temporary) << text;
        std::error_code error;
        std::filesystem::rename(temporary, ready_file_, error);
        if (error)
            std::fprintf(stderr, "%s: the ready file %s cannot be written: %s\n", name_.c_str(),
                         ready_file_.c_str(), error.message().c_str());
    }

    void forget_ready() const {
        std::error_code ignored;
        if (!ready_file_.empty()) std::filesystem::remove(ready_file_, ignored);
    }

    asio::io_context& io_;
    port::Clock& clock_;
    const std::string name_;
    const std::string ready_file_;
    Service& service_;
    net::StopSignal signals_;
    system::ServiceManager manager_;
    net::TaskGroup tasks_;
};

}  // namespace

int run(asio::io_context& io, port::Clock& clock, const Logger& logger, const std::string& name,
        const std::string& ready_file, Service& service) {
    Life life{io, clock, logger, name, ready_file, service};
    net::TaskGroup root{io.get_executor(), logger};
    int exit_code = 0;
    root.start("life", life.live(exit_code));
    io.run();
    io.restart();
    io.poll();  // the ends of what was cancelled
    return exit_code;
}

void storage_failed(const std::string& name, const Error& error) {
    std::fprintf(stderr, "%s: storage failed: %s\n", name.c_str(), error.message.c_str());
    std::_Exit(kExitStorageFailed);
}

}  // namespace longhaul::program
