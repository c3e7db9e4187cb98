// longhaul deploy: a folder with a function.toml becomes a function.
#include "cli/commands.hpp"
#include "cli/deploy_archive.hpp"
#include "cli/deploy_manifest.hpp"
#include "cli/local_file.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr std::string_view kExamples =
    "  longhaul deploy examples/functions/report-python\n"
    "  longhaul deploy . --name resize-test         another name than function.toml says\n"
    "\n"
    "The folder's function.toml has the fields of the function document (docs/functions.md):\n"
    "  name = \"resize\"\n"
    "  mode = \"handler\"        # or \"exec\", with command = [\"./run.sh\"]\n"
    "  runtime = \"python\"\n"
    "  handler = \"app.main\"\n"
    "  max_running = 3\n";

class Deploy final : public Command {
public:
    Deploy(CLI::App& app, const Globals& globals)
        : Command(app, globals, "deploy", "Deploy a function from a folder",
                  std::string(kExamples)) {
        sub()
            .add_option("folder", folder_, "The folder with function.toml and the code")
            ->required()
            ->check(CLI::ExistingDirectory);
        sub().add_option("--name", name_, "Deploy under this name");
    }

    int run() override {
        while (folder_.size() > 1 && folder_.back() == '/') folder_.pop_back();
        const std::string file = folder_ + "/function.toml";
        auto text = read_file(file);
        if (!text) return report(text.error());
        auto manifest = parse_manifest(
            *text, file, name_.empty() ? std::nullopt : std::optional<std::string>(name_));
        if (!manifest) return report(manifest.error());
        auto archive = pack_folder(folder_);
        if (!archive) return report(archive.error());
        const std::size_t archive_bytes = archive->bytes.size();

        auto client = make_client();
        auto package = client.upload_package(manifest->name, std::move(archive->bytes));
        if (!package) return report(package.error());
        manifest->document.set("package", package->digest.text);
        auto function = client.put_function(manifest->name, std::move(manifest->document));
        if (!function) return report(function.error());
        if (globals().json()) {
            print(function->dump_pretty() + "\n");
            return kExitOk;
        }
        const auto* version = (*function)["version"].as_string();
        print(
            fmt::format("deployed {}\n"
                        "  package  {} ({} files, {}; {} packed)\n"
                        "  version  {}\n"
                        "submit an event with:\n"
                        "  longhaul submit {} --data '{{}}' --logs\n",
                        manifest->name.text, package->digest.text, archive->files,
                        short_bytes(archive->content_bytes), short_bytes(archive_bytes),
                        version ? *version : std::string("-"), manifest->name.text));
        return kExitOk;
    }

private:
    std::string folder_, name_;
};

}  // namespace

CommandPtr make_deploy(CLI::App& app, const Globals& globals) {
    return std::make_unique<Deploy>(app, globals);
}

}  // namespace longhaul::cli
