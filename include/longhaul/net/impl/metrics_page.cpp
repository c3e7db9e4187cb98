#include "longhaul/net/metrics_page.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>
#include <memory>

namespace longhaul::net {
namespace {

std::string escape(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

using Label = std::pair<std::string, std::string>;

std::string label_text(const std::vector<Label>& labels, std::string_view bound = {}) {
    std::string out;
    for (const auto& [name, value] : labels)
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "{" : ",", name, escape(value, true));
    if (!bound.empty()) out += fmt::format("{}le=\"{}\"", out.empty() ? "{" : ",", bound);
    if (!out.empty()) out += '}';
    return out;
}

void append_histogram(std::string& out, const MetricSample& sample) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < sample.histogram.counts.size(); ++i) {
        count += sample.histogram.counts[i];
        const bool last = i == Histogram::kBounds.size();
        const auto bound = last ? std::string("+Inf") : number(Histogram::kBounds[i]);
        fmt::format_to(std::back_inserter(out), "{}_bucket{} {}\n", sample.name,
                       label_text(sample.labels, bound), count);
    }
    fmt::format_to(std::back_inserter(out), "{}_sum{} {}\n", sample.name, label_text(sample.labels),
                   number(sample.histogram.sum));
    fmt::format_to(std::back_inserter(out), "{}_count{} {}\n", sample.name,
                   label_text(sample.labels), count);
}

std::string_view type_name(MetricType type) {
    switch (type) {
    case MetricType::counter: return "counter";
    case MetricType::gauge: return "gauge";
    case MetricType::histogram: return "histogram";
    }
    return "untyped";
}

boost::asio::awaitable<Response> metrics(std::shared_ptr<AdminSources> sources) {
    Response response;
    if (sources->metrics) response.body = format_metrics(sources->metrics());
    response.with("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    co_return response;
}

boost::asio::awaitable<Response> livez() { co_return text_response(200, "ok\n"); }

boost::asio::awaitable<Response> readyz(std::shared_ptr<AdminSources> sources) {
    std::optional<std::string> reason;
    if (sources->not_ready) reason = sources->not_ready();
    if (reason) co_return problem_response(make_error(Errc::unavailable, *reason, "not-ready"));
    co_return text_response(200, "ready\n");
}

}  // namespace

std::vector<Route> admin_routes(AdminSources sources_arg) {
    // Shared by the two handlers that read it.
    auto sources = std::make_shared<AdminSources>(std::move(sources_arg));
    std::vector<Route> routes;
    routes.push_back({"GET", "/metrics", [sources](Request&) { return metrics(sources); }});
    routes.push_back({"GET", "/livez", [](Request&) { return livez(); }});
    routes.push_back({"GET", "/readyz", [sources](Request&) { return readyz(sources); }});
    return routes;
}

std::string format_metrics(const MetricSamples& samples) {
    // One family's samples stand together, in the order in which families first appear.
    std::vector<std::vector<const MetricSample*>> families;
    std::map<std::string_view, std::size_t> places;
    for (const auto& sample : samples) {
        const auto [place, added] = places.emplace(sample.name, families.size());
        if (added) families.emplace_back();
        families[place->second].push_back(&sample);
    }
    std::string out;
    for (const auto& family : families) {
        const auto& first = *family.front();
        fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", first.name,
                       escape(first.help, false), first.name, type_name(first.type));
        for (const auto* sample : family) {
            if (sample->type == MetricType::histogram)
                append_histogram(out, *sample);
            else
                fmt::format_to(std::back_inserter(out), "{}{} {}\n", sample->name,
                               label_text(sample->labels), number(sample->value));
        }
    }
    return out;
}

}  // namespace longhaul::net
