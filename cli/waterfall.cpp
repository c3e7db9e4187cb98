#include "cli/waterfall.hpp"

#include "longhaul/base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr double kAdviceFrom = 5;       // ms on the way that are worth a word
constexpr double kUnattributedMin = 1;  // ms; below it, it is the clock's grain
constexpr double kWaitsFrom = 1000;     // ms in the queue that are worth a word

struct Bar {
    std::string name;
    std::size_t depth = 0;  // inside which other
    double from = 0;        // ms since the beginning of the attempt's story
    double lasts = 0;       // ms
};

std::string text_of(const Json& value) {
    const auto* text = value.as_string();
    return text ? *text : std::string();
}

std::optional<TimePoint> time_of(const Json& value) {
    const auto* text = value.as_string();
    if (!text) return std::nullopt;
    const auto time = parse_rfc3339(*text);
    return time ? std::optional(*time) : std::nullopt;
}

double ms_between(TimePoint from, TimePoint to) {
    return static_cast<double>((to - from).count()) / 1000;
}

// What one attempt's document says of its stages, in ms.
class Stages {
public:
    explicit Stages(const Json& trace) : trace_(trace) {}

    [[nodiscard]] double of(std::string_view stage) const {
        const Json& value = trace_[std::string(stage) + "_ms"];
        return value.is_number() ? value.number() : 0;
    }
    [[nodiscard]] bool has(std::string_view stage) const {
        return trace_[std::string(stage) + "_ms"].is_number();
    }

private:
    const Json& trace_;
};

// The queue's part counts from the submit, so it is only drawn for the first attempt. Within a take
// an instance starts while the package comes; both are there before the load.
std::vector<Bar> bars_of(const Json& attempt, TimePoint created) {
    const Stages stages(attempt["trace"]);
    const bool is_first = attempt["number"].as_integer() && *attempt["number"].as_integer() == 1;
    const auto dispatched = time_of(attempt["dispatched_at"]);
    const auto started = time_of(attempt["started_at"]);
    const auto ended = time_of(attempt["ended_at"]);
    std::vector<Bar> bars;
    double at = 0;
    const auto add = [&](std::string name, double lasts) {
        bars.push_back({std::move(name), 0, at, lasts});
        at += lasts;
    };
    if (is_first && stages.has("queue")) add("queue", stages.of("queue"));
    if (stages.has("route")) add("route", stages.of("route"));
    if (stages.has("take")) {
        const double take_from = at;
        add("take", stages.of("take"));
        if (stages.has("fetch")) {
            bars.push_back({"fetch", 1, take_from, stages.of("fetch")});
            bars.push_back({"unpack", 1, take_from + stages.of("fetch"), stages.of("unpack")});
        }
        if (stages.has("start")) bars.push_back({"start", 1, take_from, stages.of("start")});
        if (stages.has("load")) {
            const double load_from = std::max(take_from, at - stages.of("load"));
            bars.push_back({"load", 1, load_from, stages.of("load")});
        }
        if (stages.has("import"))
            bars.push_back(
                {"import", 2, std::max(take_from, at - stages.of("import")), stages.of("import")});
    }
    if (!dispatched || !started) return bars;
    const double run_from = ms_between(is_first ? created : *dispatched, *started);
    if (run_from - at > kUnattributedMin) add("begin", run_from - at);
    if (stages.has("first_byte")) bars.push_back({"first_byte", 1, at, stages.of("first_byte")});
    if (ended) add("run", ms_between(*started, *ended));
    return bars;
}

std::string drawn(const Bar& bar, double whole, std::size_t width) {
    const double scale = whole > 0 ? static_cast<double>(width) / whole : 0;
    const auto from = std::min(width - 1, static_cast<std::size_t>(bar.from * scale));
    const auto length = std::max<std::size_t>(
        1, std::min(width - from, static_cast<std::size_t>(std::lround(bar.lasts * scale))));
    return std::string(from, ' ') + std::string(length, '#');
}

std::string lines_of(const std::vector<Bar>& bars, std::size_t width) {
    double whole = 0;
    for (const Bar& bar : bars) whole = std::max(whole, bar.from + bar.lasts);
    std::string out;
    for (const Bar& bar : bars)
        out += fmt::format("  {:<14}{:>11.1f} ms |{}\n", std::string(bar.depth * 2, ' ') + bar.name,
                           bar.lasts, drawn(bar, whole, width));
    return out;
}

// One line: the largest part of the way, and what makes it smaller.
std::string advice_for(const Json& attempt) {
    const Stages stages(attempt["trace"]);
    const double queue = stages.of("queue");
    const double take = stages.of("take");
    if (queue >= kWaitsFrom && queue > take)
        return fmt::format(
            "it waited {:.0f} ms in line: `longhaul queue FUNCTION` shows which limit", queue);
    if (take < kAdviceFrom) return "";
    const double load = stages.of("load") - stages.of("import");
    const std::pair<std::string_view, double> parts[] = {
        {"fetch", stages.of("fetch") + stages.of("unpack")},
        {"start", stages.of("start")},
        {"load", std::max(load, 0.0)},
        {"import", stages.of("import")}};
    const auto& [most, ms] =
        *std::ranges::max_element(parts, {}, [](const auto& p) { return p.second; });
    if (ms < kAdviceFrom) return "";
    const std::string share = fmt::format("{} took {:.0f} of {:.0f} ms", most, ms, take);
    if (most == "fetch") return share + ": a smaller package comes sooner";
    if (most == "start") return share + ": an instance that is kept warm needs no start";
    if (most == "load") return share + ": the runtime itself had to start";
    return share + ": import less when the function is loaded";
}

}  // namespace

std::string waterfall(const Json& document, std::size_t width) {
    std::string out = fmt::format("{}  {}  {}\n", text_of(document["id"]),
                                  text_of(document["function"]), text_of(document["state"]));
    const auto created = time_of(document["created_at"]);
    const auto* attempts = document["attempts"].as_array();
    if (!attempts || attempts->empty() || !created) return out + "no attempt has begun yet\n";
    for (const Json& attempt : *attempts) {
        const std::string outcome = text_of(attempt["outcome"]);
        out += fmt::format("attempt {} on {}, instance {}: {}\n", attempt["number"].dump(),
                           text_of(attempt["host"]), text_of(attempt["instance"]),
                           outcome.empty() ? "under way" : outcome);
        out += lines_of(bars_of(attempt, *created), width);
        if (const std::string advice = advice_for(attempt); !advice.empty())
            out += "  advice: " + advice + "\n";
    }
    return out;
}

}  // namespace longhaul::cli
