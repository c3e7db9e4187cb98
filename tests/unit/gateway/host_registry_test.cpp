#include "gateway/driver/host_registry.hpp"

#include "longhaul/wire/json.hpp"
#include "tests/support/catch.hpp"

namespace longhaul::gateway {
namespace {

using namespace std::chrono_literals;

wire::Json host(const std::string& name, std::int64_t heard_ms_ago) {
    wire::HostAnnouncement announcement;
    announcement.host = HostId{name};
    announcement.address = "127.0.0.1:1";
    announcement.epoch = 3;
    wire::Json item = wire::to_json(announcement);
    item.set("last_heard_ms_ago", heard_ms_ago).set("of a later version", "ignored");
    return item;
}

std::string document(std::vector<wire::Json> hosts) {
    return wire::Json::object().set("proto", 1).set("hosts", wire::Json(std::move(hosts))).dump();
}

}  // namespace

TEST_CASE("only hosts that were heard lately are taken from the registry") {
    const auto hosts = decode_hosts(document({host("a", 500), host("b", 60'000)}), 10s);
    REQUIRE(hosts);
    REQUIRE(hosts->size() == 1);
    CHECK((*hosts)[0].host.text == "a");
    CHECK((*hosts)[0].epoch == 3);
}

TEST_CASE("a host that cannot be read is left out, a document that is none is an error") {
    wire::Json broken = host("c", 0);
    broken.set("epoch", "seven");
    const auto hosts = decode_hosts(document({broken, host("a", 0)}), 10s);
    REQUIRE(hosts);
    CHECK(hosts->size() == 1);
    CHECK_FALSE(decode_hosts("{\"hosts\": 7}", 10s));
    CHECK_FALSE(decode_hosts("hello", 10s));
}

}  // namespace longhaul::gateway
