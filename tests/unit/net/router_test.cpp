#include "longhaul/net/router.hpp"
#include "tests/unit/net/net_fixture.hpp"

namespace longhaul::net::test {
namespace {

Router make_router(std::vector<std::pair<std::string, std::string>> patterns) {
    std::vector<Route> routes;
    for (auto& [method, pattern] : patterns) routes.push_back(route(method, pattern, nullptr));
    return Router(std::move(routes));
}

std::string found(const Router& router, std::string_view method, std::string_view path) {
    const auto match = router.find(method, path);
    if (!match.route) return match.allow.empty() ? "404" : "405 " + match.allow;
    std::string out = match.route->pattern;
    for (const auto& [name, value] : match.params) out += " " + name + "=" + value;
    return out;
}

}  // namespace

TEST_CASE("a route is found by its method and path") {
    const auto router = make_router({{"GET", "/v1/functions"},
                                     {"POST", "/v1/functions"},
                                     {"GET", "/v1/functions/{fn}"},
                                     {"PUT", "/v1/functions/{fn}/invocations/{id}"}});
    CHECK(found(router, "GET", "/v1/functions") == "/v1/functions");
    CHECK(found(router, "GET", "/v1/functions/resize") == "/v1/functions/{fn} fn=resize");
    CHECK(found(router, "PUT", "/v1/functions/a/invocations/b") ==
          "/v1/functions/{fn}/invocations/{id} fn=a id=b");
    CHECK(found(router, "GET", "/v1/functions/") == "404");
    CHECK(found(router, "GET", "/v1") == "404");
    CHECK(found(router, "GET", "") == "404");
    CHECK(found(router, "GET", "*") == "404");
}

TEST_CASE("literals win over verbs, and verbs over plain params") {
    const auto router = make_router({{"GET", "/v1/{a}"},
                                     {"GET", "/v1/{a}:kill"},
                                     {"GET", "/v1/invocations"},
                                     {"GET", "/v1/invocations:count"},
                                     {"POST", "/v1/packages/{digest}"}});
    CHECK(found(router, "GET", "/v1/invocations") == "/v1/invocations");
    CHECK(found(router, "GET", "/v1/invocations:count") == "/v1/invocations:count");
    CHECK(found(router, "GET", "/v1/x:kill") == "/v1/{a}:kill a=x");
    CHECK(found(router, "GET", "/v1/:kill") == "/v1/{a} a=:kill");
    CHECK(found(router, "GET", "/v1/x") == "/v1/{a} a=x");
    CHECK(found(router, "POST", "/v1/packages/sha256:ab") ==
          "/v1/packages/{digest} digest=sha256:ab");
}

TEST_CASE("a wrong method is answered with those that there are") {
    const auto router = make_router({{"GET", "/a"}, {"POST", "/a"}, {"PUT", "/b"}});
    CHECK(found(router, "DELETE", "/a") == "405 GET, HEAD, POST");
    CHECK(found(router, "GET", "/b") == "405 PUT");
    CHECK(found(router, "HEAD", "/a") == "/a");
}

}  // namespace longhaul::net::test
