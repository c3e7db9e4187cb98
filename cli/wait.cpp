// longhaul wait: until an invocation has ended; its end is the exit code.
#include "cli/commands.hpp"
#include "cli/describe.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul wait ID && longhaul result ID       go on only if it succeeded\n"
    "  longhaul wait ID -o json | jq .usage         the document at its end\n";

class Wait final : public Command {
public:
    Wait(CLI::App& app, const Globals& globals)
        : Command(app, globals, "wait", "Wait until an invocation has ended",
                  std::string(kExamples)) {
        sub().add_option("id", id_, "The invocation's id")->required();
    }

    int run() override {
        auto client = make_client();
        auto status = wait_for_end(client, InvocationId{id_});
        if (!status) return report(status.error());
        print_status(globals(), *status);
        return exit_code_of(status->state);
    }

private:
    std::string id_;
};

}  // namespace

CommandPtr make_wait(CLI::App& app, const Globals& globals) {
    return std::make_unique<Wait>(app, globals);
}

}  // namespace longhaul::cli
