#include "tests/support/catch.hpp"

#include "longhaul/base/config.hpp"

#include <algorithm>

using namespace longhaul;
using namespace std::chrono_literals;

namespace {

struct Settings {
    std::string data_dir = "data";
    std::uint32_t queue_max = 100;
    Duration grace = 10s;
    std::uint64_t body_max = 6u << 20;
    bool trust = false;
    std::vector<std::string> hosts;
};

Result<void> read(const ConfigDocument& document, Settings& out) {
    ConfigReader reader(document);
    reader.text("data_dir", out.data_dir);
    reader.integer("queue.max", out.queue_max, 1, 1'000'000, "invocations");
    reader.duration("queue.grace", out.grace, 1s, 1h);
    reader.bytes("body_max", out.body_max, 1024, 1u << 30);
    reader.boolean("trust", out.trust);
    reader.texts("hosts", out.hosts);
    reader.ignore_prefix("runtimes.");
    return reader.finish();
}

}  // namespace

TEST_CASE("a file's values reach the struct and the rest keeps its defaults") {
    const auto document = parse_toml(R"(
data_dir = "/var/lib/x"
body_max = "64KiB"
trust = true
hosts = ["a:1", "b:2"]
[queue]
max = 5
[runtimes.python]
command = ["python3"]
)",
                                     "l.toml");
    REQUIRE(document);
    Settings settings;
    REQUIRE(read(*document, settings));
    CHECK(settings.data_dir == "/var/lib/x");
    CHECK(settings.queue_max == 5);
    CHECK(settings.grace == 10s);
    CHECK(settings.body_max == 65536);
    CHECK(settings.trust);
    CHECK(settings.hosts == std::vector<std::string>{"a:1", "b:2"});
}

TEST_CASE("overrides win over the file") {
    auto document = parse_toml("[queue]\nmax = 5\n", "l.toml").value();
    document.override_with("queue.max", "7", "--queue.max");
    document.override_with("trust", "true", "LONGHAUL_TRUST");
    document.override_with("queue.grace", "90", "--queue.grace");
    Settings settings;
    REQUIRE(read(document, settings));
    CHECK(settings.queue_max == 7);
    CHECK(settings.trust);
    CHECK(settings.grace == 90s);
}

TEST_CASE("all problems are reported together, each with its place") {
    auto document = parse_toml(R"(data_dir = 5
body_max = "6 MB"
trust = "yes"
hosts = [1, 2]
extra = 1
[queue]
max = 0
grase = "1s"
)",
                               "l.toml")
                        .value();
    document.override_with("queue.grace", "2h", "--queue.grace");
    Settings settings;
    const auto done = read(document, settings);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::invalid_argument);
    const std::string& message = done.error().message;
    INFO(message);
    const auto has = [&message](std::string_view text) {
        return message.find(text) != std::string::npos;
    };
    CHECK(has("l.toml:1: data_dir must be text, in quotes"));
    CHECK(has("l.toml:2: body_max '6 MB' is no size"));
    CHECK(has("l.toml:3: trust must be true or false, is 'yes'"));
    CHECK(has("l.toml:4: hosts must be a list of texts"));
    CHECK(has("l.toml:5: extra is no known setting"));
    CHECK(has("l.toml:7: queue.max must be between 1 and 1,000,000 invocations, is 0"));
    CHECK(has("l.toml:8: queue.grase is no known setting (did you mean queue.grace?)"));
    CHECK(has("--queue.grace: queue.grace must be between 1s and 1h, is 2h"));
    CHECK(std::count(message.begin(), message.end(), '\n') == 7);
    CHECK(settings.queue_max == 100);
}

TEST_CASE("a component's own check is reported with the value's place") {
    const auto document = parse_toml("a = 1\n", "l.toml").value();
    ConfigReader reader(document);
    reader.problem("a", "must be below b");
    reader.problem("b", "is missing");
    CHECK(reader.finish().error().message == "l.toml:1: a must be below b\nb is missing");
}

TEST_CASE("whole numbers are whole and fit") {
    const std::string text = GENERATE(as<std::string>{}, "1.5", "1e3", "", " 1", "1 ", "0x1",
                                      "9223372036854775808", "true");
    ConfigDocument document;
    document.override_with("n", text, "--n");
    ConfigReader reader(document);
    std::uint16_t out = 3;
    reader.integer("n", out, 0, 65535, "");
    CHECK_FALSE(reader.finish());
    CHECK(out == 3);
}

TEST_CASE("sizes are read and written") {
    CHECK(parse_bytes("0").value() == 0);
    CHECK(parse_bytes("65536").value() == 65536);
    CHECK(parse_bytes("6MiB").value() == 6u << 20);
    CHECK(parse_bytes("2MB").value() == 2'000'000);
    CHECK(parse_bytes("5B").value() == 5);
    CHECK(parse_bytes("18446744073709551615").value() == ~0ull);
    const std::string bad = GENERATE(as<std::string>{}, "", "-1", "1.5MiB", "6 MiB", "6mib", "MiB",
                                     "18446744073709551616", "99999999999TiB", "1MiBx");
    CHECK_FALSE(parse_bytes(bad));
    CHECK(format_bytes(0) == "0");
    CHECK(format_bytes(6u << 20) == "6MiB");
    CHECK(format_bytes(1ull << 40) == "1TiB");
    CHECK(format_bytes(1500) == "1500");
}

TEST_CASE("addresses are numeric, and loopback is known by them") {
    for (const char* good :
         {"127.0.0.1:0", "[::1]:7070", "localhost:1", "0.0.0.0:65535", "unix:/run/x.sock"}) {
        INFO(good);
        CHECK(check_address(good));
    }
    for (const char* bad : {"", "7070", ":7070", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                            "example.org:80", "127.0.0.1:1x", "unix:"}) {
        INFO(bad);
        CHECK_FALSE(check_address(bad));
    }
    for (const char* own : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/x"})
        CHECK(is_loopback(own));
    for (const char* open : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[2001:db8::1]:1"})
        CHECK_FALSE(is_loopback(open));
}

TEST_CASE("what was read is known with its bounds, default and origin") {
    ConfigDocument document;
    document.override_with("queue.max", "7", "--set queue.max");
    Settings settings;
    ConfigReader reader(document);
    reader.integer("queue.max", settings.queue_max, 1, 1'000'000, "invocations");
    reader.duration("queue.grace", settings.grace, 1s, 1h);
    REQUIRE(reader.finish());
    REQUIRE(reader.settings().size() == 2);
    const ConfigReader::Setting& given = reader.settings()[0];
    CHECK(given.value == "7");
    CHECK(given.initial == "100");
    CHECK(given.bounds == "1 … 1,000,000 invocations");
    CHECK(given.origin == "--set queue.max");
    CHECK(reader.settings()[1].value == "\"10s\"");
    CHECK(reader.settings()[1].origin.empty());
}
