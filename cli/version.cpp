// longhaul version.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

class Version final : public Command {
public:
    Version(CLI::App& app, const Globals& globals)
        : Command(app, globals, "version", "Print the version", "") {}

    int run() override {
        if (globals().json()) {
            wire::Json document = wire::Json::object();
            document.set("version", LONGHAUL_VERSION);
            print(document.dump() + "\n");
        } else {
            print(version_text() + "\n");
        }
        return kExitOk;
    }
};

}  // namespace

std::string version_text() { return "longhaul " LONGHAUL_VERSION; }

CommandPtr make_version(CLI::App& app, const Globals& globals) {
    return std::make_unique<Version>(app, globals);
}

}  // namespace longhaul::cli
