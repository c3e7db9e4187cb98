// longhaul kill: stop a run for certain: all its processes are gone within a short grace.
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul kill ID\n"
    "  longhaul kill ID --wait --reason runaway     return when its processes are gone\n";

class Kill final : public Command {
public:
    Kill(CLI::App& app, const Globals& globals)
        : Command(app, globals, "kill", "Stop a run for certain, with all its processes",
                  std::string(kExamples)) {
        sub().add_option("id", request_.id.text, "The invocation's id")->required();
        sub().add_option("--reason", request_.reason, "Kept in the invocation's document");
        sub().add_flag("-w,--wait", wait_, "Return when it has ended");
    }

    int run() override {
        auto client = make_client();
        const InvocationId id = request_.id;
        auto status = client.kill(request_);
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

CommandPtr make_kill(CLI::App& app, const Globals& globals) {
    return std::make_unique<Kill>(app, globals);
}

}  // namespace longhaul::cli
