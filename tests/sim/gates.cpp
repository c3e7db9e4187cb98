#include "tests/sim/gates.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace longhaul::sim {

namespace asio = boost::asio;

namespace {

Error is_dead() { return make_error(Errc::io_failed, "the process has died"); }

// One operation: nothing of it before the process dies, or all of it.
template <class Operation>
auto gated(Lifeline& life, Operation operation) -> decltype(operation()) {
    if (!life.holds()) return is_dead();
    auto outcome = operation();
    static_cast<void>(life.holds());
    return outcome;
}

class GatedFile final : public port::File {
public:
    GatedFile(std::unique_ptr<port::File> file, Lifeline& life)
        : file_(std::move(file)), life_(life) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        return gated(life_, [&] { return file_->read_at(offset, into); });
    }
    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        return gated(life_, [&] { return file_->write_at(offset, bytes); });
    }
    Result<void> sync() override {
        return gated(life_, [&] { return file_->sync(); });
    }
    Result<std::uint64_t> size() override {
        return gated(life_, [&] { return file_->size(); });
    }
    Result<void> truncate(std::uint64_t size) override {
        return gated(life_, [&] { return file_->truncate(size); });
    }
    Result<void> lock() override {
        return gated(life_, [&] { return file_->lock(); });
    }

private:
    const std::unique_ptr<port::File> file_;
    Lifeline& life_;
};

}  // namespace

Result<std::unique_ptr<port::File>> GatedDisk::open(const std::string& path, port::OpenMode mode) {
    auto file = gated(life_, [&] { return disk_.open(path, mode); });
    if (!file) return file.error();
    return std::unique_ptr<port::File>{std::make_unique<GatedFile>(std::move(*file), life_)};
}
Result<void> GatedDisk::rename(const std::string& from, const std::string& to) {
    return gated(life_, [&] { return disk_.rename(from, to); });
}
Result<void> GatedDisk::remove(const std::string& path) {
    return gated(life_, [&] { return disk_.remove(path); });
}
Result<std::vector<std::string>> GatedDisk::list(const std::string& folder) {
    return gated(life_, [&] { return disk_.list(folder); });
}
Result<void> GatedDisk::make_dir(const std::string& folder) {
    return gated(life_, [&] { return disk_.make_dir(folder); });
}
Result<void> GatedDisk::sync_dir(const std::string& folder) {
    return gated(life_, [&] { return disk_.sync_dir(folder); });
}
Result<std::uint64_t> GatedDisk::free_bytes(const std::string& folder) {
    return gated(life_, [&] { return disk_.free_bytes(folder); });
}

struct SlowWorkers::Work {
    Work(asio::any_io_executor executor, std::function<void()> what)
        : job(std::move(what)), ended(executor, asio::steady_timer::time_point::max()) {}

    void happen() {
        if (job) std::exchange(job, nullptr)();
    }
    void end() {
        happen();
        is_over = true;
        ended.cancel();
    }

    std::function<void()> job;
    asio::steady_timer ended;
    bool is_over = false;
    test::FakeClock::Ticket happens{};
    test::FakeClock::Ticket ends{};
};

asio::awaitable<void> SlowWorkers::run(std::function<void()> job) {
    if (closed_ || pace_.job_max.count() == 0) {
        job();
        co_return;
    }
    static_cast<void>(life_.holds());
    const auto work = std::make_shared<Work>(executor_, std::move(job));
    const auto place = under_way_.insert(under_way_.end(), work);
    const Duration most = random_.chance(0.1) ? pace_.job_max : pace_.job_max / 50;
    const TimePoint ends_at = clock_.now() + random_.up_to(most);
    const TimePoint happens_at = clock_.now() + random_.up_to(ends_at - clock_.now());
    std::function<void()> happens = [work] { work->happen(); };
    std::function<void()> ends = [work] { work->end(); };
    work->happens = clock_.call_at(happens_at, std::move(happens));
    work->ends = clock_.call_at(ends_at, std::move(ends));
    boost::system::error_code ignored;
    const asio::cancellation_slot nobody;
    while (!work->is_over)
        co_await work->ended.async_wait(asio::bind_cancellation_slot(
            nobody, asio::redirect_error(asio::use_awaitable, ignored)));
    under_way_.erase(place);
    static_cast<void>(life_.holds());
}

void SlowWorkers::close() {
    closed_ = true;
    for (const auto& work : under_way_) {
        clock_.forget(work->happens);
        clock_.forget(work->ends);
        work->end();
    }
}

asio::awaitable<Result<void>> GatedSink::publish(std::vector<port::OutgoingEvent> events) {
    if (!life_.holds()) co_return is_dead();
    auto taken = co_await sink_.publish(std::move(events));
    if (!life_.holds()) co_return is_dead();
    co_return taken;
}

}  // namespace longhaul::sim
