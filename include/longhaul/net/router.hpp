// The list of a listener's routes, and how a target finds its own.
#pragma once

#include "longhaul/net/message.hpp"

#include <functional>
#include <string>
#include <vector>

namespace longhaul::net {

// Decode, ask, encode: no policy. Must not throw; an escaped exception is logged and answers 500.
// A coroutine that is cancelled (client gone and `cancel_on_close`, or shutdown) just ends.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

struct Route {
    std::string method;  // "POST"
    // "/v1/functions/{fn}/invocations", "/v1/invocations:batchGet": literal segments win over
    // {params}; a param matches one segment up to a ':' verb.
    std::string pattern;
    Handler handler;
    std::uint64_t body_max = 64 * 1024;            // bytes
    Duration deadline = std::chrono::seconds(30);  // of the handler; 0 = none (streams, waits)
    std::string label;                             // for metrics; "" = the pattern
};

// One segment of a pattern: a literal, or a param with what must follow it (":kill", or "").
struct RouteSegment {
    std::string param{};
    std::string literal{};
};

class Router {
public:
    // REQUIRES patterns to be unique per method.
    explicit Router(std::vector<Route> routes);

    struct Match {
        const Route* route = nullptr;  // nullptr: see `allow`
        std::map<std::string, std::string, std::less<>> params{};
        std::string allow{};  // methods that the path has, "GET, POST"; "" = no such path (404)
    };
    [[nodiscard]] Match find(std::string_view method, std::string_view path) const;
    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

private:
    [[nodiscard]] std::string allowed(const std::function<bool(std::size_t)>& fits) const;

    // Constant after construction; of the same size.
    std::vector<Route> routes_;
    std::vector<std::vector<RouteSegment>> segments_;
};

}  // namespace longhaul::net
