// longhaul completion bash|zsh: a script for the shell that asks this program what may come next.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace longhaul::cli {
namespace {

constexpr std::string_view kExamples =
    "  source <(longhaul completion bash)           in ~/.bashrc\n"
    "  source <(longhaul completion zsh)            in ~/.zshrc, after compinit\n"
    "  longhaul completion zsh > \"${fpath[1]}/_longhaul\"\n"
    "\n"
    "Names of functions, hosts and invocations come from the server of --server or\n"
    "LONGHAUL_SERVER; where none answers at once, nothing is offered.\n";

constexpr std::string_view kBash = R"(# bash completion for longhaul
_longhaul() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _longhaul longhaul
)";

constexpr std::string_view kZsh = R"(#compdef longhaul
# zsh completion for longhaul
_longhaul() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == _longhaul ]]; then
    _longhaul "$@"
else
    compdef _longhaul longhaul
fi
)";

class Completion final : public Command {
public:
    Completion(CLI::App& app, const Globals& globals)
        : Command(app, globals, "completion", "Print a script that completes longhaul's commands",
                  std::string(kExamples)) {
        sub()
            .add_option("shell", shell_, "bash or zsh")
            ->required()
            ->check(CLI::IsMember({"bash", "zsh"}));
    }

    int run() override {
        print(shell_ == "bash" ? kBash : kZsh);
        return kExitOk;
    }

private:
    std::string shell_;
};

}  // namespace

CommandPtr make_completion(CLI::App& app, const Globals& globals) {
    return std::make_unique<Completion>(app, globals);
}

}  // namespace longhaul::cli
