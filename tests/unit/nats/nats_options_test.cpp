#include "longhaul/nats/nats_options.hpp"
#include "tests/support/catch.hpp"

namespace longhaul::nats {

TEST_CASE("the section of NATS is read with its limits") {
    const auto document = parse_toml(R"([nats]
urls = ["nats://a:4222", "tls://b:4222"]
creds_file = "/etc/user.creds"
ping_interval = "5s"
pending_max = 100
)",
                                     "l.toml")
                              .value();
    NatsOptions options;
    ConfigReader reader{document};
    read_nats_options(reader, options);
    REQUIRE(reader.finish());
    CHECK(options.urls == std::vector<std::string>{"nats://a:4222", "tls://b:4222"});
    CHECK(options.creds_file == "/etc/user.creds");
    CHECK(options.ping_interval == std::chrono::seconds(5));
    CHECK(options.pending_max == 100);
}

TEST_CASE("every wrong value of NATS is reported, by its name") {
    const auto document = parse_toml(R"([bus]
urls = ["http://a:4222"]
tls_cert = "/etc/cert.pem"
reconnect_wait = "2s"
reconnect_wait_max = "1s"
pings_out_max = 0
test_drop_percent = 101
)",
                                     "l.toml")
                              .value();
    NatsOptions options;
    ConfigReader reader{document};
    read_nats_options(reader, options, "bus");
    const auto done = reader.finish();
    REQUIRE_FALSE(done);
    for (const char* name : {"bus.urls", "bus.tls_cert", "bus.reconnect_wait_max",
                             "bus.pings_out_max", "bus.test_drop_percent"})
        CHECK(done.error().message.find(name) != std::string::npos);
}

TEST_CASE("a secret in a URL is not shown") {
    NatsOptions options;
    options.urls = {"nats://user:secret@a:4222", "tls://b:4222"};
    CHECK(shown_urls(options) == "nats://a:4222,tls://b:4222");

    const auto document =
        parse_toml("[nats]\nurls = [\"nats://user:secret@a:4222\"]\n", "l.toml").value();
    ConfigReader reader{document};
    read_nats_options(reader, options);
    REQUIRE(reader.finish());
    CHECK(options.urls.front() == "nats://user:secret@a:4222");
    for (const auto& setting : reader.settings())
        CHECK(setting.value.find("secret") == std::string::npos);
}

}  // namespace longhaul::nats
