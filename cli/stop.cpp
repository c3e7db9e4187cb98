// longhaul cancel, longhaul kill: both stop a run; they differ in how much time it is left.
#include "cli/bulk.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kCancelExamples =
    "  longhaul cancel ID                           with the function's own grace\n"
    "  longhaul cancel ID --grace 5s --reason typo\n"
    "  longhaul cancel ID --wait                    return when it has ended\n"
    "  longhaul cancel --function report --state queued --dry-run\n";

constexpr std::string_view kKillExamples =
    "  longhaul kill ID\n"
    "  longhaul kill ID --wait --reason runaway     return when its processes are gone\n"
    "  longhaul kill --label team=a                 all of them\n";

class Stop final : public Command {
public:
    Stop(CLI::App& app, const Globals& globals, StopCause cause)
        : Command(app, globals, cause == StopCause::cancel ? "cancel" : "kill",
                  cause == StopCause::cancel
                      ? "Ask a run to stop: SIGTERM, and after its grace SIGKILL"
                      : "Stop a run for certain, with all its processes",
                  std::string(cause == StopCause::cancel ? kCancelExamples : kKillExamples)),
          cause_(cause),
          bulk_(sub()) {
        sub().add_option("id", request_.id.text, "The invocation's id; without: a filter");
        if (cause == StopCause::cancel)
            sub().add_option("--grace", request_.grace, "From SIGTERM to SIGKILL, e.g. 5s");
        sub().add_option("--reason", request_.reason, "Kept in the invocation's document");
        sub().add_flag("-w,--wait", wait_, "Return when it has ended");
    }

    int run() override {
        if (const int wrong = check_target(request_.id.text, bulk_)) return wrong;
        auto client = make_client();
        if (request_.id.empty())
            return bulk_.run(client, globals(), cause_ == StopCause::cancel ? "cancel" : "kill",
                             request_);
        const InvocationId id = request_.id;
        auto status = cause_ == StopCause::cancel ? client.cancel(request_) : client.kill(request_);
        if (status && wait_) status = wait_for_end(client, id);
        if (!status) return report(status.error());
        if (globals().json()) {
            print_status(globals(), *status);
        } else {
            print(id.text + " " + describe_progress(*status) + "\n");
        }
        return kExitOk;
    }

private:
    const StopCause cause_;
    BulkOptions bulk_;
    client::StopRequest request_;
    bool wait_ = false;
};

}  // namespace

CommandPtr make_cancel(CLI::App& app, const Globals& globals) {
    return std::make_unique<Stop>(app, globals, StopCause::cancel);
}

CommandPtr make_kill(CLI::App& app, const Globals& globals) {
    return std::make_unique<Stop>(app, globals, StopCause::kill);
}

}  // namespace longhaul::cli
