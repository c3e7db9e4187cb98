#include "host_agent/driver/recovery.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

namespace asio = boost::asio;

Recovery::Recovery(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                   Ledger& ledger, Keeper& keeper, AgentControl& control, StatusFlow& status)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      keeper_(keeper),
      control_(control),
      status_(status),
      tasks_(executor, logger_) {}

void Recovery::start() {
    std::vector<std::pair<InstanceId, InstanceProcess>> unproven;
    for (const auto& [id, instance] : ledger_.core().instances())
        if (instance.state == InstanceState::unproven && instance.process)
            unproven.emplace_back(id, *instance.process);
    for (const auto& [id, process] : unproven) {
        if (keeper_.watch_found(id, process)) {
            tasks_.start("ask", ask(id, process));
            continue;
        }
        logger_.info("instance_gone", {{"instance", id.text}, {"pid", process.process.pid}});
        status_.instance_dead(id);
    }
}

asio::awaitable<void> Recovery::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

asio::awaitable<void> Recovery::ask(InstanceId id, InstanceProcess process) {
    Duration pause = std::chrono::milliseconds(20);
    while (true) {
        const Instance* instance = ledger_.core().instance(id);
        if (instance == nullptr || instance->state != InstanceState::unproven) co_return;
        auto status = co_await control_.status(process);
        if (status) {
            auto heard = co_await status_.heard(id, std::move(*status));
            if (heard) logger_.info("instance_found", {{"instance", id.text}});
            if (heard) co_return;
        }
        co_await clock_.wait_until(clock_.now() + pause);
        pause = std::min<Duration>(pause * 2, std::chrono::seconds(1));
    }
}

}  // namespace longhaul::host_agent
