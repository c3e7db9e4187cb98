#include "longhaul/program/start.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace longhaul::program {
namespace {

constexpr int kExitBadConfig = 2;

std::string prefix_of(std::string_view program) {
    std::string prefix = "LONGHAUL_";
    for (const char letter : program)
        prefix += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    return prefix + "_";
}

// The variables that begin with the prefix; that of the file's name is taken out.
void read_environment(ConfigDocument& document, std::string& config_file) {
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || !text.starts_with(document.environment_prefix))
            continue;
        const std::string_view name = text.substr(0, equals);
        if (name == document.environment_prefix + "CONFIG")
            config_file = text.substr(equals + 1);
        else
            document.environment.emplace(name, text.substr(equals + 1));
    }
}

std::string footer_of(const Program& program) {
    return fmt::format(
        "{}\n\nEach setting has a name, as in a TOML file, and can be given in four places:\n"
        "  limits.global_max = 50                    in the file of --config\n"
        "  {}LIMITS_GLOBAL_MAX=50     in the environment (capitals, _ for .)\n"
        "  --set limits.global_max=50                on the command line\n"
        "  --listen, --log-level, …                  for the frequent ones\n"
        "The command line wins over the environment, that over the file. --print-config shows all "
        "settings\nwith their bounds and where they come from; docs/configuration.md explains "
        "them.\n"
        "Exit codes: 0 ended in order, 1 could not start, 2 wrong configuration.",
        program.examples, prefix_of(program.name));
}

}  // namespace

struct Start::Impl {
    Impl(const Program& program_, int argc, char** argv);

    void parse(int argc, char** argv);
    void read_file(const std::string& path);

    const Program program;
    ConfigDocument document{};
    std::string config_file{};
    std::vector<std::string> flags_given{};
    std::vector<std::string> settings{};
    bool check = false;
    bool print_config = false;
    std::optional<int> answered{};  // --help, --version

    std::string log_level = "info";
    std::string log_format = "text";
    std::string ready_file{};
    ConfigReader reader{document};
};

Start::Impl::Impl(const Program& program_, int argc, char** argv) : program(program_) {
    document.environment_prefix = prefix_of(program.name);
    read_environment(document, config_file);
    parse(argc, argv);
    if (!config_file.empty()) read_file(config_file);
    reader.choice("log_level", log_level, {"debug", "info", "warning", "error", "off"});
    reader.choice("log_format", log_format, {"text", "json"});
    reader.text("ready_file", ready_file);
}

void Start::Impl::parse(int argc, char** argv) {
    CLI::App parser{program.purpose, program.name};
    parser.footer(footer_of(program));
    parser.set_version_flag("--version", program.name + " " LONGHAUL_VERSION);
    parser.allow_extras();
    parser.add_option("--config", config_file, "A TOML file")->option_text("FILE");
    parser.add_option("--set", settings, "Any setting; repeatable")
        ->type_size(1)
        ->option_text("NAME=VALUE");
    std::vector<Flag> flags = program.flags;
    flags.push_back({"--log-level", "log_level", "LEVEL", "debug, info, warning, error or off"});
    flags.push_back({"--log-format", "log_format", "FORMAT", "text or json"});
    flags.push_back(
        {"--ready-file", "ready_file", "FILE", "Written with the addresses once they are served"});
    for (const Flag& flag : flags)
        parser
            .add_option_function<std::string>(
                flag.name,
                [this, flag](const std::string& value) {
                    document.override_with(flag.setting, value, flag.name);
                },
                flag.help)
            ->option_text(flag.value);
    parser.add_flag("--check", check, "Only check the configuration: exit 0 or 2");
    parser.add_flag("--print-config", print_config, "Print the effective configuration as TOML");
    try {
        parser.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0)
            answered = parser.exit(error);  // prints the help or the version
        else
            document.problems.emplace_back(error.what());
    }
    for (const std::string& extra : parser.remaining())
        document.problems.push_back(extra + ": no such flag (--help lists them)");
    for (const std::string& setting : settings)
        if (auto done = apply_settings(document, {setting}); !done)
            document.problems.push_back(done.error().message);
}

void Start::Impl::read_file(const std::string& path) {
    auto file = read_toml_file(path);
    if (!file) return document.problems.push_back(file.error().message);
    for (auto& [name, value] : file->values) document.values.emplace(name, std::move(value));
}

Start::Start(const Program& program, int argc, char** argv)
    : impl_(std::make_unique<Impl>(program, argc, argv)) {}

Start::~Start() = default;

ConfigReader& Start::reader() { return impl_->reader; }

std::optional<int> Start::settle_with(const Error* error) {
    const std::string& name = impl_->program.name;
    if (impl_->answered) return impl_->answered;
    if (error != nullptr) {
        std::fprintf(stderr, "%s: the configuration is wrong:\n%s\n", name.c_str(),
                     error->message.c_str());
        return kExitBadConfig;
    }
    if (impl_->print_config) {
        std::fputs(effective_toml(name, impl_->reader.settings()).c_str(), stdout);
        return 0;
    }
    if (!impl_->check) return std::nullopt;
    std::printf("%s: the configuration is valid%s%s\n", name.c_str(),
                impl_->config_file.empty() ? "" : ": ", impl_->config_file.c_str());
    return 0;
}

Logger Start::logger() const {
    LogLevel level = LogLevel::off;
    for (const LogLevel each :
         {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error})
        if (to_string(each) == impl_->log_level) level = each;
    const LogFormat format = impl_->log_format == "json" ? LogFormat::json : LogFormat::text;
    return Logger::to_stderr(level, format).named(impl_->program.name);
}

const std::string& Start::ready_file() const { return impl_->ready_file; }
const std::string& Start::name() const { return impl_->program.name; }

std::string effective_toml(std::string_view program,
                           const std::vector<ConfigReader::Setting>& settings) {
    std::string text = fmt::format("# The effective configuration of {}, version {}.\n", program,
                                   LONGHAUL_VERSION);
    for (const ConfigReader::Setting& setting : settings) {
        std::string notes = setting.bounds;
        const auto note = [&notes](std::string_view more) {
            if (!notes.empty()) notes += "; ";
            notes += more;
        };
        if (setting.origin.empty()) {
            note("default");
        } else {
            if (!setting.secret) note("default " + setting.initial);
            note("from " + setting.origin);
        }
        // A URL may hold a password.
        const bool is_secret = setting.secret || (setting.value.find("://") != std::string::npos &&
                                                  setting.value.find('@') != std::string::npos);
        text += is_secret
                    ? fmt::format("# {} is {}  # {}\n", setting.name,
                                  setting.origin.empty() ? "not set" : "set, not shown", notes)
                    : fmt::format("{} = {}  # {}\n", setting.name, setting.value, notes);
    }
    return text;
}

std::string beside_own_program(std::string_view name) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::string{} : (self.parent_path() / name).string();
}

}  // namespace longhaul::program
