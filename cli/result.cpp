// longhaul result: the function's own bytes.
#include "cli/commands.hpp"
#include "cli/describe.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul result ID > report.json\n"
    "  longhaul result ID --wait                    wait for the end first\n";

class ResultCommand final : public Command {
public:
    ResultCommand(CLI::App& app, const Globals& globals)
        : Command(app, globals, "result", "Write an invocation's result to stdout",
                  std::string(kExamples)) {
        sub().add_option("id", id_, "The invocation's id")->required();
        sub().add_flag("-w,--wait", wait_, "Wait for the end first");
    }

    int run() override {
        auto client = make_client();
        if (wait_) {
            auto ended = wait_for_end(client, InvocationId{id_});
            if (!ended) return report(ended.error());
        }
        if (auto done = print_result(client, InvocationId{id_}); !done) return report(done.error());
        return kExitOk;
    }

private:
    std::string id_;
    bool wait_ = false;
};

}  // namespace

CommandPtr make_result(CLI::App& app, const Globals& globals) {
    return std::make_unique<ResultCommand>(app, globals);
}

}  // namespace longhaul::cli
