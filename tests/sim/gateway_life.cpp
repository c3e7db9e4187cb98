#include "tests/sim/gateway_life.hpp"

#include "tests/sim/wires.hpp"
#include "tests/support/fake_event_sink.hpp"

namespace longhaul::sim {
namespace {

gateway::BodyLimits small_bodies() {
    gateway::BodyLimits limits;
    limits.inline_max = 1024;
    limits.reserve_bytes = 0;
    return limits;
}

Logger logger_for(const Notebook& notebook) {
    return notebook.traces() ? Logger::to_stderr(LogLevel::info, LogFormat::text).named("gateway")
                             : Logger();
}

}  // namespace

boost::asio::awaitable<Result<port::PeerResponse>> GatedPeer::call(std::string address,
                                                                   port::PeerRequest request,
                                                                   Duration limit) {
    if (!life_.holds()) co_return make_error(Errc::cancelled, "the process has died");
    machine_.witness.leaves(address, request);
    const std::string to = address;
    const bool is_kill = request.target == "/v1/kill:batch";
    const port::PeerRequest sent =
        is_kill ? port::PeerRequest{request.method, request.target, {}, request.body}
                : port::PeerRequest{};
    auto answer = co_await call_apart(machine_.wires, machine_.peer, std::move(address),
                                      std::move(request), limit);
    if (!life_.holds()) co_return make_error(Errc::cancelled, "the process has died");
    if (answer && answer->status == 200) machine_.witness.answered(to, sent);
    co_return answer;
}

boost::asio::awaitable<Result<void>> NoBlobs::put_file(Digest, std::string) {
    co_return make_error(Errc::unsupported, "no blobs here");
}
boost::asio::awaitable<Result<std::string>> NoBlobs::get(Digest, std::uint64_t, std::uint64_t) {
    co_return make_error(Errc::not_found, "no blobs here");
}
boost::asio::awaitable<Result<std::uint64_t>> NoBlobs::head(Digest) {
    co_return make_error(Errc::not_found, "no blobs here");
}
boost::asio::awaitable<Result<void>> NoBlobs::remove(Digest) { co_return Result<void>{}; }

GatewayLife::GatewayLife(Machine& machine, const gateway::GatewayLimits& limits)
    : machine_(machine),
      limits_(limits),
      peer_(machine, life_),
      disk_(machine.disk, life_),
      sink_(machine.events, life_),
      workers_(machine.executor, machine.clock, machine.worker_random, machine.pace, life_),
      bodies_("data/bodies", disk_, workers_, machine.random, small_bodies()),
      uploads_("data/uploads", disk_, workers_, machine.random, small_bodies()),
      event_cursor_(disk_, workers_, "data/events.position"),
      event_outlet_{sink_, event_cursor_},
      loops_(machine.executor, logger_for(machine.notebook)),
      clients_(machine.executor, logger_for(machine.notebook)) {}

GatewayLife::~GatewayLife() = default;

boost::asio::awaitable<Result<void>> GatewayLife::start() {
    auto made = disk_.make_dir("data");
    if (!made) co_return made.error();
    journal::FileJournalOptions options;
    options.folder = "data/journal";
    options.first_segment_bytes = 64 * 1024;
    options.segment_bytes = 256 * 1024;
    options.salt = machine_.random.next();
    // Half of the lives have a disk whose syncs are worth a thread.
    if (options.salt % 2 == 0) options.commit_inline_below = Duration::zero();
    auto opened = journal::FileJournal::open(disk_, machine_.clock, workers_, std::move(options));
    if (!opened) co_return opened.error();
    journal_ = std::move(*opened);
    watched_.emplace(*journal_, machine_.witness);
    if (life_.is_cut()) co_return make_error(Errc::cancelled, "the process has died");
    const Lifeline before = life_;
    life_.spare();  // what the witness reads is no doing of the process
    machine_.witness.opened(*journal_);
    life_ = before;
    auto view = gateway::MemoryView::open(machine_.view_store, gateway::ViewOptions{});
    if (!view) co_return view.error();
    view_ = std::move(*view);
    loops_.start("journal", journal_->run());
    gateway_.emplace(
        machine_.executor,
        gateway::GatewayPorts{machine_.clock, machine_.random, workers_, *watched_, peer_,
                              machine_.bus, blobs_, *view_, bodies_, uploads_, &event_outlet_},
        limits_, logger_for(machine_.notebook), [this](const Error&) { storage_failed_ = true; });
    auto started = co_await gateway_->start();
    if (!started) co_return started.error();
    if (life_.is_cut()) co_return make_error(Errc::cancelled, "the process has died");
    serves_ = true;
    co_return Result<void>{};
}

boost::asio::awaitable<void> GatewayLife::crash() {
    serves_ = false;
    life_.cut();
    clients_.cancel();
    machine_.view_store.fail_writes(make_error(Errc::io_failed, "the process has died"));
    workers_.close();
    if (gateway_) co_await gateway_->stop();
    co_await clients_.join();
    loops_.cancel();
    co_await loops_.join();
    gateway_.reset();
    view_.reset();
    watched_.reset();
    journal_.reset();
    machine_.view_store.fail_writes(Error{});
}

boost::asio::awaitable<void> GatewayLife::stop() {
    serves_ = false;
    life_.spare();
    gateway_->refuse_new_work();
    clients_.cancel();
    co_await clients_.join();
    co_await gateway_->stop();
    loops_.cancel();
    co_await loops_.join();
    gateway_.reset();
    view_.reset();
    watched_.reset();
    journal_.reset();
}

}  // namespace longhaul::sim
