// longhaul get: where an invocation stands.
#include "cli/commands.hpp"
#include "cli/describe.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul get ID                 state, why it waits, stages, usage, error\n"
    "  longhaul get ID -o json         the whole document\n";

class Get final : public Command {
public:
    Get(CLI::App& app, const Globals& globals)
        : Command(app, globals, "get", "Show where an invocation stands", std::string(kExamples)) {
        sub().add_option("id", id_, "The invocation's id")->required();
    }

    int run() override {
        auto client = make_client();
        auto status = client.get(InvocationId{id_});
        if (!status) return report(status.error());
        print_status(globals(), *status);
        return kExitOk;
    }

private:
    std::string id_;
};

}  // namespace

CommandPtr make_get(CLI::App& app, const Globals& globals) {
    return std::make_unique<Get>(app, globals);
}

}  // namespace longhaul::cli
