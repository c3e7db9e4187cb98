#include "longhaul/base/config.hpp"

#include "longhaul/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <limits>

namespace longhaul {
namespace {

using Kind = ConfigDocument::Kind;

struct ByteUnit {
    std::string_view name;
    std::uint64_t bytes;
};
// The first name of each size is the one written.
constexpr std::array<ByteUnit, 9> kByteUnits{{{"TiB", 1ull << 40},
                                              {"GiB", 1ull << 30},
                                              {"MiB", 1ull << 20},
                                              {"KiB", 1ull << 10},
                                              {"TB", 1'000'000'000'000},
                                              {"GB", 1'000'000'000},
                                              {"MB", 1'000'000},
                                              {"kB", 1'000},
                                              {"B", 1}}};

bool parse_whole(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

bool begins_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

// 1234567 -> "1,234,567"
std::string grouped(std::int64_t value) {
    std::string text = std::to_string(value);
    const std::size_t first = text[0] == '-' ? 1 : 0;
    for (std::size_t at = text.size(); at > first + 3;) {
        at -= 3;
        text.insert(at, 1, ',');
    }
    return text;
}

// How many edits lead from one name to the other; names are short.
std::size_t edits(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t above = row[j];
            const std::size_t change = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
            row[j] = std::min({above + 1, row[j - 1] + 1, change});
            diagonal = above;
        }
    }
    return row[to.size()];
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known) {
    if (name.size() > 128) return {};
    std::size_t best = 3;  // further away is another word
    std::string_view nearest;
    for (const std::string& candidate : known) {
        const std::size_t distance = edits(name, candidate);
        if (distance < best) {
            best = distance;
            nearest = candidate;
        }
    }
    return nearest.empty() ? std::string{} : fmt::format(" (did you mean {}?)", nearest);
}

std::string variable_of(std::string_view prefix, std::string_view name) {
    std::string variable{prefix};
    for (const char letter : name) {
        const bool lower = letter >= 'a' && letter <= 'z';
        variable += lower ? static_cast<char>(letter - 'a' + 'A') : letter == '.' ? '_' : letter;
    }
    return variable;
}

// Kubernetes sets LONGHAUL_GATEWAY_PORT_7070_TCP=… and the like where a service has our name.
bool is_kubernetes_link(std::string_view rest) {
    return rest == "PORT" || begins_with(rest, "PORT_") || begins_with(rest, "SERVICE_HOST") ||
           begins_with(rest, "SERVICE_PORT");
}

std::string in_quotes(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string quoted_list(const std::vector<std::string>& items) {
    std::vector<std::string> words;
    for (const std::string& item : items) words.push_back(in_quotes(without_user(item)));
    return fmt::format("[{}]", fmt::join(words, ", "));
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> items;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (comma > 0) items.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return items;
}

std::string range(std::string_view min, std::string_view max, std::string_view unit = {}) {
    return fmt::format("{} … {}{}{}", min, max, unit.empty() ? "" : " ", unit);
}

}  // namespace

class ConfigReader::Note {
public:
    Note(ConfigReader& reader, std::string_view name, std::string bounds,
         std::function<std::string()> show)
        : reader_(reader), show_(std::move(show)) {
        setting_.name = name;
        setting_.bounds = std::move(bounds);
        setting_.initial = show_();
    }
    ~Note() {
        setting_.value = show_();
        if (const auto* value = reader_.find(setting_.name)) setting_.origin = value->origin;
        reader_.settings_.push_back(std::move(setting_));
    }
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;

private:
    ConfigReader& reader_;
    const std::function<std::string()> show_;
    Setting setting_{};
};

Result<void> apply_settings(ConfigDocument& document, const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) {
        const std::size_t equals = setting.find('=');
        if (equals == std::string::npos || equals == 0)
            return make_error(Errc::invalid_argument,
                              "--set " + setting + ": is not of the form name=value");
        const std::string name = setting.substr(0, equals);
        document.override_with(name, setting.substr(equals + 1), "--set " + name);
    }
    return {};
}

void ConfigDocument::override_with(std::string_view name, std::string_view text,
                                   std::string_view origin) {
    Value value;
    value.items.emplace_back(text);
    value.origin = std::string(origin);
    value.source = Source::flag;
    values.insert_or_assign(std::string(name), std::move(value));
}

ConfigReader::ConfigReader(const ConfigDocument& document) : document_(document) {}

void ConfigReader::text(std::string_view name, std::string& out) {
    const Note note{*this, name, {}, [&out] { return in_quotes(out); }};
    const auto* value = find_scalar(name);
    if (!value) return;
    if (value->kind != Kind::text) return problem_at(*value, name, "must be text, in quotes");
    out = value->items.front();
}

void ConfigReader::choice(std::string_view name, std::string& out,
                          std::initializer_list<std::string_view> allowed) {
    std::string text = out;
    this->text(name, text);
    settings_.back().bounds = fmt::format("{}", fmt::join(allowed, ", "));
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
        return problem(name,
                       fmt::format("must be one of {}, is '{}'", settings_.back().bounds, text));
    out = std::move(text);
}

void ConfigReader::address(std::string_view name, std::string& out) {
    text(name, out);
    if (auto valid = check_address(out); !valid) problem(name, valid.error().message);
}

void ConfigReader::optional_address(std::string_view name, std::string& out) {
    text(name, out);
    if (out.empty()) return;
    if (auto valid = check_address(out); !valid) problem(name, valid.error().message);
}

void ConfigReader::addresses(std::string_view name, std::vector<std::string>& out) {
    texts(name, out);
    for (const std::string& item : out)
        if (auto valid = check_address(item); !valid) problem(name, valid.error().message);
}

void ConfigReader::secret(std::string_view name, std::string& out) {
    const std::string file_name = std::string(name) + "_file";
    std::string file;
    text(name, out);
    settings_.back().secret = true;
    settings_.back().value = settings_.back().initial = "";
    text(file_name, file);
    const auto* direct = find(name);
    if (direct && direct->source == ConfigDocument::Source::flag)
        problem(name, fmt::format("is no value for the command line, which every user can read: "
                                  "use {} or {}",
                                  file_name, variable_of(document_.environment_prefix, name)));
    if (file.empty()) return;
    if (direct) return problem(file_name, fmt::format("and {} are both given", name));
    auto read = read_secret_file(file);
    if (!read) return problem(file_name, read.error().message);
    out = std::move(*read);
}

void ConfigReader::guarded(std::string_view name, const std::string& address,
                           const std::string& secret) {
    if (address.empty() || !secret.empty() || is_loopback(address)) return;
    problem(name, fmt::format("is {}, which others can reach: that needs the cluster's secret "
                              "(secret_file)",
                              address));
}

void ConfigReader::texts(std::string_view name, std::vector<std::string>& out) {
    const Note note{*this, name, {}, [&out] { return quoted_list(out); }};
    const auto* value = find(name);
    if (!value) return;
    if (value->kind != Kind::text) return problem_at(*value, name, "must be a list of texts");
    const bool is_file = value->source == ConfigDocument::Source::file;
    out = is_file || value->items.empty() ? value->items : split(value->items.front());
}

void ConfigReader::boolean(std::string_view name, bool& out) {
    const Note note{*this, name, "true, false",
                    [&out] { return std::string(out ? "true" : "false"); }};
    const auto* value = find_scalar(name);
    if (!value) return;
    const std::string& text = value->items.front();
    if (text != "true" && text != "false") {
        return problem_at(*value, name, fmt::format("must be true or false, is '{}'", text));
    }
    out = text == "true";
}

void ConfigReader::duration(std::string_view name, Duration& out, Duration min, Duration max) {
    const Note note{*this, name, range(format_duration(min), format_duration(max)),
                    [&out] { return in_quotes(format_duration(out)); }};
    const auto* value = find_scalar(name);
    if (!value) return;
    const auto parsed = parse_duration(value->items.front());
    if (!parsed) return problem_at(*value, name, parsed.error().message);
    if (*parsed < min || *parsed > max) {
        return problem_at(*value, name,
                          fmt::format("must be between {} and {}, is {}", format_duration(min),
                                      format_duration(max), value->items.front()));
    }
    out = *parsed;
}

void ConfigReader::bytes(std::string_view name, std::uint64_t& out, std::uint64_t min,
                         std::uint64_t max) {
    const Note note{*this, name, range(format_bytes(min), format_bytes(max)),
                    [&out] { return in_quotes(format_bytes(out)); }};
    const auto* value = find_scalar(name);
    if (!value) return;
    const auto parsed = parse_bytes(value->items.front());
    if (!parsed) return problem_at(*value, name, parsed.error().message);
    if (*parsed < min || *parsed > max) {
        return problem_at(*value, name,
                          fmt::format("must be between {} and {}, is {}", format_bytes(min),
                                      format_bytes(max), value->items.front()));
    }
    out = *parsed;
}

void ConfigReader::ignore_prefix(std::string_view prefix) {
    ignored_prefixes_.emplace_back(prefix);
}

void ConfigReader::problem(std::string_view name, std::string_view what) {
    if (const auto* value = find(name)) return problem_at(*value, name, what);
    problems_.push_back(fmt::format("{} {}", name, what));
}

Result<void> ConfigReader::finish() {
    unknown_names();
    std::vector<std::string> all = document_.problems;
    all.insert(all.end(), problems_.begin(), problems_.end());
    if (all.empty()) return {};
    return make_error(Errc::invalid_argument, fmt::format("{}", fmt::join(all, "\n")));
}

void ConfigReader::unknown_names() {
    for (const auto& [name, value] : document_.values) {
        const auto is_prefix = [&name](const std::string& prefix) {
            return begins_with(name, prefix);
        };
        if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
        if (std::any_of(ignored_prefixes_.begin(), ignored_prefixes_.end(), is_prefix)) continue;
        problem_at(value, name, "is no known setting" + suggestion(name, known_));
    }
    std::vector<std::string> variables;
    for (const std::string& name : known_)
        variables.push_back(variable_of(document_.environment_prefix, name));
    for (const auto& [name, text] : document_.environment) {
        if (std::find(variables.begin(), variables.end(), name) != variables.end()) continue;
        if (is_kubernetes_link(std::string_view(name).substr(document_.environment_prefix.size())))
            continue;
        problems_.push_back(
            fmt::format("{} names no known setting{}", name, suggestion(name, variables)));
    }
}

void ConfigReader::read_integer(std::string_view name, std::int64_t& out, std::int64_t min,
                                std::int64_t max, std::string_view unit) {
    const Note note{*this, name, range(grouped(min), grouped(max), unit),
                    [&out] { return std::to_string(out); }};
    const auto* value = find_scalar(name);
    if (!value) return;
    const std::string& text = value->items.front();
    std::int64_t parsed = 0;
    if (!parse_whole(text, parsed)) {
        return problem_at(*value, name, fmt::format("must be a whole number, is '{}'", text));
    }
    if (parsed < min || parsed > max) {
        return problem_at(
            *value, name,
            fmt::format("must be between {} and {}{}{}, is {}", grouped(min), grouped(max),
                        unit.empty() ? "" : " ", unit, grouped(parsed)));
    }
    out = parsed;
}

const ConfigDocument::Value* ConfigReader::find(std::string_view name) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
    const auto found = document_.values.find(name);
    const auto* value = found == document_.values.end() ? nullptr : &found->second;
    if (value && value->source == ConfigDocument::Source::flag) return value;
    const auto* from_environment = find_in_environment(name);
    return from_environment ? from_environment : value;
}

const ConfigDocument::Value* ConfigReader::find_in_environment(std::string_view name) {
    if (document_.environment.empty()) return nullptr;
    const std::string variable = variable_of(document_.environment_prefix, name);
    const auto found = document_.environment.find(variable);
    if (found == document_.environment.end()) return nullptr;
    ConfigDocument::Value value;
    value.items.push_back(found->second);
    value.origin = variable;
    value.source = ConfigDocument::Source::environment;
    return &from_environment_.insert_or_assign(std::string(name), std::move(value)).first->second;
}

const ConfigDocument::Value* ConfigReader::find_scalar(std::string_view name) {
    const auto* value = find(name);
    if (!value || (!value->is_list && value->items.size() == 1)) return value;
    problem_at(*value, name, "must be one value, not a list");
    return nullptr;
}

void ConfigReader::problem_at(const ConfigDocument::Value& value, std::string_view name,
                              std::string_view what) {
    const std::string_view separator = value.origin.empty() ? "" : ": ";
    problems_.push_back(fmt::format("{}{}{} {}", value.origin, separator, name, what));
}

std::string without_user(std::string_view url) {
    const auto scheme = url.find("://");
    const auto at = url.rfind('@');
    if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme)
        return std::string(url);
    return fmt::format("{}://{}", url.substr(0, scheme), url.substr(at + 1));
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
    const auto bad = [text](std::string_view what) {
        return make_error(Errc::invalid_argument,
                          fmt::format("'{}' is no size: {}", text.substr(0, 64), what));
    };
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error == std::errc::result_out_of_range) return bad("too large");
    if (error != std::errc{}) return bad("expected bytes, as in 65536, 64KiB or 6MiB");
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    if (name.empty()) return count;
    const auto unit =
        std::find_if(kByteUnits.begin(), kByteUnits.end(),
                     [name](const ByteUnit& candidate) { return candidate.name == name; });
    if (unit == kByteUnits.end()) return bad("units are B, kB, MB, GB, TB, KiB, MiB, GiB, TiB");
    if (count > std::numeric_limits<std::uint64_t>::max() / unit->bytes) return bad("too large");
    return count * unit->bytes;
}

std::string format_bytes(std::uint64_t bytes) {
    for (const ByteUnit& unit : kByteUnits) {
        const bool binary = unit.name.size() == 3;
        if (binary && bytes != 0 && bytes % unit.bytes == 0) {
            return fmt::format("{}{}", bytes / unit.bytes, unit.name);
        }
    }
    return fmt::format("{}", bytes);
}

}  // namespace longhaul
