#include "tests/support/catch.hpp"
#include "tests/unit/nats/nats_fixture.hpp"

#include <cstdlib>

namespace longhaul::nats {
namespace {

// An authority, a server and a client, made by the openssl of the system.
void make_certificates(const test::TempFolder& folder) {
    const std::string script =
        "cd '" + folder.path() +
        "' && exec >/dev/null 2>&1 && "
        "new='openssl req -newkey rsa:2048 -nodes' && "
        "$new -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem && "
        "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' >san && "
        "for who in server client; do "
        "$new -subj /CN=$who -keyout $who.key -out $who.csr && "
        "openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
        "-extfile san -out $who.pem || exit 1; done";
    REQUIRE(std::system(script.c_str()) == 0);
}

std::string tls_config(const test::TempFolder& folder) {
    return "tls { cert_file: \"" + folder / "server.pem" + "\", key_file: \"" +
           folder / "server.key" + "\", ca_file: \"" + folder / "ca.pem" + "\", verify: true }\n";
}

}  // namespace

TEST_CASE("over TLS both sides prove who they are, and a stranger stays out") {
    test::TempFolder certificates;
    make_certificates(certificates);
    test::NatsServer server{{.config = tls_config(certificates)}};
    NatsOptions options = quick_options("tls://127.0.0.1:" + std::to_string(server.port()));
    options.tls_ca = certificates / "ca.pem";

    Fixture stranger{options};  // without a certificate
    stranger.open();

    options.tls_cert = certificates / "client.pem";
    options.tls_key = certificates / "client.key";
    Fixture fixture{options};
    fixture.open();
    const auto subscription = fixture.hear("a");
    REQUIRE(fixture.connects());
    REQUIRE(fixture.bus.publish("a", "1"));
    REQUIRE(fixture.hears(1));

    stranger.context.poll();
    CHECK_FALSE(stranger.bus.connected());

    NatsOptions other = options;
    other.tls_server_name = "elsewhere.example";
    Fixture deceived{other};
    deceived.open();
    const auto end = deceived.clock.now() + std::chrono::milliseconds(300);
    REQUIRE(deceived.until([&] { return deceived.clock.now() >= end; }));
    CHECK_FALSE(deceived.bus.connected());
}

}  // namespace longhaul::nats
