// ledger: the journal of a gateway that has been at work: so many invocations that have ended, with
// three records each, among so many that wait. Written by the production journal and codec; the
// view is left to the program that starts over it.
//
//   ledger FOLDER ENDED WAITING
#include "gateway/ledger/record_codec.hpp"
#include "longhaul/journal/file_journal.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/workers.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace longhaul;
using namespace longhaul::gateway;

constexpr std::size_t kBatch = 1'000;  // records of one commit

std::shared_ptr<const FunctionSpec> function() {
    FunctionSpec spec;
    spec.name = FunctionName{"old"};
    spec.version = Digest{"sha256:" + std::string(64, 'c')};
    spec.command = {"true"};
    spec.max_queued = 10'000'000;
    return std::make_shared<const FunctionSpec>(spec);
}

class History {
public:
    History(std::size_t ended, std::size_t waiting) : ended_(ended), waiting_(waiting) {
        add(OwnerTermRecord{0, 1});
        add(FunctionPutRecord{TenantName{"default"}, function_, now_});
        add(QueuePausedRecord{TenantName{"default"}, function_->name, true});
    }

    // The next commit; empty at the end.
    std::vector<std::string> batch() {
        while (records_.size() < kBatch && made_ < ended_ + waiting_) {
            const bool waits = made_ * waiting_ / (ended_ + waiting_) !=
                               (made_ + 1) * waiting_ / (ended_ + waiting_);
            invocation(waits);
            ++made_;
        }
        return std::move(records_);
    }

private:
    void add(const Record& record) { records_.push_back(encode_record(record)); }

    void invocation(bool waits) {
        now_ += std::chrono::microseconds(100);
        Invocation made;
        made.id = make_invocation_id(now_, 0, made_ * 0x9e3779b97f4a7c15ULL);
        made.tenant = TenantName{"default"};
        made.function = function_;
        made.body.content_type = "application/json";
        made.body.inline_bytes = "{\"order\": " + std::to_string(made_) + "}";
        made.body.size = made.body.inline_bytes.size();
        made.body.sha256 = std::string(64, 'a');
        made.options.fingerprint = std::string(64, 'b');
        made.created_at = now_;
        made.queue_ttl_at = now_ + std::chrono::hours(24 * 7);
        made.deadline = now_ + std::chrono::hours(24 * 8);
        if (waits) return add(AcceptedRecord{std::move(made)});
        Attempt attempt;
        attempt.number = 1;
        attempt.token = Token{std::string(32, 'd')};
        attempt.host = HostId{"h1"};
        attempt.host_address = "127.0.0.1:7090";
        attempt.dispatched_at = now_;
        made.state = State::dispatching;
        made.attempts.push_back(attempt);
        add(AcceptedRecord{made});
        add(StartedRecord{Change{made.id, 2, now_, State::running}, 1, InstanceId{"i1"}, {}});
        AttemptEnd end;
        end.attempt = 1;
        end.outcome = AttemptOutcome::succeeded;
        end.exit_code = 0;
        const Content result{"text/plain", "done", "", 4, std::string(64, 'e')};
        add(TerminalRecord{Change{made.id, 3, now_, State::succeeded}, end, result, {}, {}});
    }

    const std::size_t ended_;
    const std::size_t waiting_;
    const std::shared_ptr<const FunctionSpec> function_ = function();
    TimePoint now_ = system::SystemClock().now() - std::chrono::minutes(5);
    std::size_t made_ = 0;
    std::vector<std::string> records_;
};

boost::asio::awaitable<void> write(port::Journal& journal, History& history, bool& ok) {
    while (true) {
        std::vector<std::string> records = history.batch();
        if (records.empty()) break;
        auto done = co_await journal.append(std::move(records));
        if (done) continue;
        std::fprintf(stderr, "ledger: %s\n", done.error().message.c_str());
        ok = false;
        co_return;
    }
    ok = true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "ledger FOLDER ENDED WAITING\n");
        return 2;
    }
    system::PosixDisk disk;
    system::SystemClock clock;
    system::InlineWorkers workers;
    journal::FileJournalOptions options;
    options.folder = argv[1];
    options.salt = 0x6c656467;
    auto journal = journal::FileJournal::open(disk, clock, workers, std::move(options));
    if (!journal) {
        std::fprintf(stderr, "ledger: %s\n", journal.error().message.c_str());
        return 1;
    }
    History history(std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
    bool ok = false;
    boost::asio::io_context context(1);
    net::TaskGroup tasks(context.get_executor(), Logger());
    tasks.start("write", write(**journal, history, ok));
    context.run();
    return ok ? 0 : 1;
}
