#include "longhaul/net/router.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::net {
namespace {

// "{id}:kill" -> param "id", suffix ":kill"; "hosts" -> literal.
RouteSegment read_segment(std::string_view text) {
    RouteSegment out;
    if (!text.starts_with('{')) {
        out.literal = text;
        return out;
    }
    const auto end = text.find('}');
    LH_ASSERT(end != std::string_view::npos);
    out.param = text.substr(1, end - 1);
    out.literal = text.substr(end + 1);
    return out;
}

// Takes the next segment, without slashes, from "/a/b".
std::string_view take_segment(std::string_view& path) {
    path.remove_prefix(1);
    const auto end = path.find('/');
    const auto segment = path.substr(0, end);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end);
    return segment;
}

bool matches(const RouteSegment& pattern, std::string_view segment) {
    if (pattern.param.empty()) return segment == pattern.literal;
    return segment.size() > pattern.literal.size() && segment.ends_with(pattern.literal);
}

// Literal before param with verb before param, from the left.
int rank(const RouteSegment& segment) {
    return segment.param.empty() ? 2 : segment.literal.empty() ? 0 : 1;
}

bool more_exact(const std::vector<RouteSegment>& left, const std::vector<RouteSegment>& right) {
    for (std::size_t i = 0; i < left.size(); ++i)
        if (rank(left[i]) != rank(right[i])) return rank(left[i]) > rank(right[i]);
    return false;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
    for (auto& route : routes_) {
        LH_ASSERT(route.pattern.starts_with('/'));
        if (route.label.empty()) route.label = route.pattern;
        auto& segments = segments_.emplace_back();
        std::string_view rest = route.pattern;
        while (!rest.empty()) segments.push_back(read_segment(take_segment(rest)));
    }
    for (std::size_t i = 0; i < routes_.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            LH_ASSERT(routes_[i].method != routes_[j].method ||
                      routes_[i].pattern != routes_[j].pattern);
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
    Match match;
    if (!path.starts_with('/')) return match;
    std::vector<std::string_view> parts;
    parts.reserve(8);
    for (auto rest = path; !rest.empty();) parts.push_back(take_segment(rest));

    const auto fits = [&](std::size_t i) {
        const auto& segments = segments_[i];
        return segments.size() == parts.size() &&
               std::equal(segments.begin(), segments.end(), parts.begin(), matches);
    };
    constexpr std::size_t kNone = ~std::size_t{0};
    std::size_t best = kNone;
    const auto look = [&](std::string_view wanted) {
        for (std::size_t i = 0; i < routes_.size(); ++i)
            if (routes_[i].method == wanted && fits(i) &&
                (best == kNone || more_exact(segments_[i], segments_[best])))
                best = i;
    };
    look(method);
    if (best == kNone && method == "HEAD") look("GET");
    if (best == kNone) {
        match.allow = allowed(fits);
        return match;
    }
    match.route = &routes_[best];
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& segment = segments_[best][i];
        if (!segment.param.empty())
            match.params.emplace(segment.param,
                                 parts[i].substr(0, parts[i].size() - segment.literal.size()));
    }
    return match;
}

std::string Router::allowed(const std::function<bool(std::size_t)>& fits) const {
    std::vector<std::string> methods;
    for (std::size_t i = 0; i < routes_.size(); ++i)
        if (fits(i)) methods.push_back(routes_[i].method);
    if (std::ranges::find(methods, "GET") != methods.end()) methods.emplace_back("HEAD");
    std::ranges::sort(methods);
    methods.erase(std::ranges::unique(methods).begin(), methods.end());
    std::string out;
    for (const auto& method : methods) out += (out.empty() ? "" : ", ") + method;
    return out;
}

}  // namespace longhaul::net
