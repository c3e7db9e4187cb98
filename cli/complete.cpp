#include "cli/complete.hpp"

#include <algorithm>

namespace longhaul::cli {
namespace {

constexpr Duration kAskLimit = std::chrono::milliseconds(800);
constexpr std::uint32_t kIdsMax = 100;

using Words = std::vector<std::string>;

// Where the typing has got to.
struct Place {
    CLI::App* command = nullptr;
    const CLI::Option* value_of = nullptr;  // an option that waits for its value
    std::size_t positionals = 0;            // given to `command` already
};

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

const CLI::Option* find_option(CLI::App& app, CLI::App& command, const std::string& word) {
    const CLI::Option* option = command.get_option_no_throw(word);
    return option ? option : app.get_option_no_throw(word);
}

CLI::App* find_command(CLI::App& in, const std::string& word) {
    for (CLI::App* sub : in.get_subcommands([](CLI::App*) { return true; }))
        if (sub->get_name() == word) return sub;
    return nullptr;
}

Place place_of(CLI::App& app, Globals& globals, const Words& words) {
    Place place{&app};
    for (std::size_t index = 0; index + 1 < words.size(); ++index) {
        const std::string& word = words[index];
        if (place.value_of) {
            const std::string name = place.value_of->get_name();
            if (name == "--server") globals.server = word;
            if (name == "--tenant") globals.tenant = word;
            place.value_of = nullptr;
        } else if (word.starts_with('-') && word.size() > 1) {
            const CLI::Option* option = find_option(app, *place.command, word);
            if (option && takes_value(*option)) place.value_of = option;
        } else if (CLI::App* command = find_command(*place.command, word)) {
            place.command = command;
            place.positionals = 0;
        } else {
            ++place.positionals;
        }
    }
    return place;
}

Words functions_of(client::BlockingClient& client) {
    Words names;
    auto answer = client.list_functions();
    if (!answer) return names;
    if (const auto* functions = (*answer)["functions"].as_array())
        for (const wire::Json& function : *functions)
            if (const auto* name = function["name"].as_string()) names.push_back(*name);
    return names;
}

Words hosts_of(client::BlockingClient& client) {
    Words names;
    auto answer = client.list_hosts();
    if (!answer) return names;
    if (const auto* hosts = (*answer)["hosts"].as_array())
        for (const wire::Json& host : *hosts)
            if (const auto* name = host["host"].as_string()) names.push_back(*name);
    return names;
}

Words ids_of(client::BlockingClient& client, bool live_only) {
    Words ids;
    client::ListFilter filter;
    filter.limit = kIdsMax;
    if (live_only) filter.states = {"live"};
    auto page = client.list(filter);
    if (!page) return ids;
    for (const auto& invocation : page->invocations) ids.push_back(invocation.id.text);
    return ids;
}

Words states() {
    Words names{"live", "ended"};
    for (int number = 1; number <= kStateCount; ++number)
        names.emplace_back(to_string(static_cast<State>(number)));
    return names;
}

// By the name of the option or positional; nothing where a file or free text is meant.
Words values_of(const std::string& name, const CLI::App& command, const Globals& globals) {
    if (name == "--output") return {"table", "json"};
    if (name == "--stream") return {"stdout", "stderr"};
    if (name == "--log-level") return {"debug", "info", "warning", "error"};
    if (name == "--state") return states();
    if (name == "shell") return {"bash", "zsh"};
    auto options = globals.client_options();
    options.call_limit = kAskLimit;
    client::BlockingClient client(std::move(options));
    if (name == "function" || name == "--function" || name == "name") return functions_of(client);
    if (name == "host" || name == "--host") return hosts_of(client);
    const bool stops = command.get_name() == "cancel" || command.get_name() == "kill" ||
                       command.get_name() == "change";
    if (name == "id") return ids_of(client, stops);
    return {};
}

Words option_names(CLI::App& app, CLI::App& command) {
    Words names;
    for (CLI::App* each : {&command, &app}) {
        for (const CLI::Option* option : each->get_options())
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        if (&command == &app) break;
    }
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
}

Words everything_at(CLI::App& app, const Place& place, const std::string& typed,
                    const Globals& globals) {
    if (place.value_of) return values_of(place.value_of->get_name(), *place.command, globals);
    if (typed.starts_with('-')) return option_names(app, *place.command);
    Words names;
    for (const CLI::App* sub : place.command->get_subcommands([](CLI::App*) { return true; }))
        names.push_back(sub->get_name());
    if (!names.empty()) return names;
    std::size_t index = 0;
    for (const CLI::Option* option : place.command->get_options())
        if (option->get_positional() && index++ == place.positionals)
            return values_of(option->get_name(true), *place.command, globals);
    return names;
}

}  // namespace

std::vector<std::string> candidates(CLI::App& app, Globals globals, const Words& words) {
    const std::string typed = words.empty() ? "" : words.back();
    const Place place = place_of(app, globals, words);
    Words names = everything_at(app, place, typed, globals);
    std::erase_if(names, [&typed](const std::string& name) { return !name.starts_with(typed); });
    return names;
}

}  // namespace longhaul::cli
