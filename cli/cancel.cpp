// longhaul cancel: ask a run to stop: SIGTERM, and after its grace SIGKILL.
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul cancel ID                           with the function's own grace\n"
    "  longhaul cancel ID --grace 5s --reason typo\n"
    "  longhaul cancel ID --wait                    return when it has ended\n";

class Cancel final : public Command {
public:
    Cancel(CLI::App& app, const Globals& globals)
        : Command(app, globals, "cancel", "Ask a run to stop: SIGTERM, and after its grace SIGKILL",
                  std::string(kExamples)) {
        sub().add_option("id", request_.id.text, "The invocation's id")->required();
        sub().add_option("--grace", request_.grace, "From SIGTERM to SIGKILL, e.g. 5s");
        sub().add_option("--reason", request_.reason, "Kept in the invocation's document");
        sub().add_flag("-w,--wait", wait_, "Return when it has ended");
    }

    int run() override {
        auto client = make_client();
        const InvocationId id = request_.id;
        auto status = client.cancel(request_);
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
    client::StopRequest request_;
    bool wait_ = false;
};

}  // namespace

CommandPtr make_cancel(CLI::App& app, const Globals& globals) {
    return std::make_unique<Cancel>(app, globals);
}

}  // namespace longhaul::cli
