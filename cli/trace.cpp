// longhaul trace: the stages of an invocation's attempts, over time.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "cli/waterfall.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul trace ID               where the time went, as a waterfall\n"
    "  longhaul trace ID -o json       the attempts of the document\n";

class Trace final : public Command {
public:
    Trace(CLI::App& app, const Globals& globals)
        : Command(app, globals, "trace", "Show where an invocation's time went",
                  std::string(kExamples)) {
        sub().add_option("id", id_, "The invocation's id")->required();
    }

    int run() override {
        auto client = make_client();
        auto status = client.get(InvocationId{id_});
        if (!status) return report(status.error());
        if (globals().json())
            print(status->document["attempts"].dump_pretty() + "\n");
        else
            print(waterfall(status->document));
        return kExitOk;
    }

private:
    std::string id_;
};

}  // namespace

CommandPtr make_trace(CLI::App& app, const Globals& globals) {
    return std::make_unique<Trace>(app, globals);
}

}  // namespace longhaul::cli
