// longhaul logs: what a run wrote, so far, live, or afterwards.
#include "cli/commands.hpp"
#include "cli/describe.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  longhaul logs -f ID                          from the first line on, until it has ended\n"
    "  longhaul logs ID --tail 20 --stream stderr   the last lines of one stream\n"
    "  longhaul logs ID --timestamps\n";

class Logs final : public Command {
public:
    Logs(CLI::App& app, const Globals& globals)
        : Command(app, globals, "logs", "Show an invocation's logs", std::string(kExamples)) {
        sub().add_option("id", id_, "The invocation's id")->required();
        sub().add_flag("-f,--follow", follow_, "Go on until the run has ended");
        sub()
            .add_option("--tail", tail_, "Only the last N lines")
            ->check(CLI::Range(0u, 1'000'000u));
        sub()
            .add_option("--stream", stream_, "Only one of the two")
            ->check(CLI::IsMember({"stdout", "stderr"}));
        sub().add_option("--since", since_, "Continue after this offset (of -o json)");
        sub().add_flag("-t,--timestamps", timestamps_, "Time and stream before each line");
    }

    int run() override {
        auto client = make_client();
        client::LogRequest request;
        request.id = InvocationId{id_};
        request.follow = follow_;
        if (sub().count("--tail") > 0) request.tail = tail_;
        request.stream = stream_;
        request.since = since_;
        auto shown = print_logs(client, std::move(request), timestamps_, globals().json(), stdout);
        if (!shown) return report(shown.error());
        return kExitOk;
    }

private:
    std::string id_, stream_, since_;
    std::uint32_t tail_ = 0;
    bool follow_ = false;
    bool timestamps_ = false;
};

}  // namespace

CommandPtr make_logs(CLI::App& app, const Globals& globals) {
    return std::make_unique<Logs>(app, globals);
}

}  // namespace longhaul::cli
