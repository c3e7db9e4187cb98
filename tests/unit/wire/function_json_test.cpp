#include "tests/support/catch.hpp"

#include "longhaul/wire/function_json.hpp"

using namespace longhaul;
using namespace longhaul::wire;
using namespace std::chrono_literals;

namespace {

Result<FunctionSpec> parse(std::string_view text, Strictness strictness = Strictness::public_api) {
    return parse_function(parse_json(text).value(), strictness);
}

FunctionSpec full() {
    FunctionSpec function;
    function.name = {"resize"};
    function.version = {"sha256:" + std::string(64, 'a')};
    function.package = {"sha256:" + std::string(64, 'b')};
    function.runtime = "python";
    function.mode = FunctionMode::handler;
    function.handler = "app.main";
    function.command = {"a", ""};
    function.env = {{"Z", "1"}, {"A", "two\nlines"}};
    function.max_running = 3;
    function.max_queued = 4;
    function.memory_mb = 5;
    function.cpu_millis = 6;
    function.timeout = 100h + 1us;
    function.load_timeout = 8ms;
    function.queue_ttl = 9s;
    function.cancel_grace = 0s;
    function.timeout_grace = 11s;
    function.kill_grace = 1500ms;
    function.keep_alive = 13s;
    function.heartbeat_timeout = 14s;
    function.body_max = 14;
    function.result_max = 15;
    function.result_is_file = true;
    return function;
}

}  // namespace

TEST_CASE("the smallest documents get every default") {
    const auto handler = parse(R"({"name":"resize","handler":"app.main"})");
    REQUIRE(handler);
    FunctionSpec expected;
    expected.name = {"resize"};
    expected.runtime = "python";
    expected.mode = FunctionMode::handler;
    expected.handler = "app.main";
    CHECK(*handler == expected);

    const auto exec = parse(R"({"mode":"exec","command":["/bin/true"]})");
    REQUIRE(exec);
    CHECK(exec->mode == FunctionMode::exec);
    CHECK(exec->runtime.empty());
    CHECK(exec->name.empty());
    CHECK(exec->timeout == 15min);
}

TEST_CASE("the document of the protocol is taken as it stands") {
    const auto function =
        parse(R"({ "name": "resize", "runtime": "python", "mode": "handler", "handler": "app.main",
        "env": {"B": "2", "A": "1"}, "package": null, "concurrency": 1, "max_running": 10,
        "max_queued": 100000,
        "memory_mb": 512, "cpu_millis": 1000, "timeout": "15m", "load_timeout": "30s",
        "queue_ttl": "24h",
        "cancel_grace": "30s", "timeout_grace": "10s", "kill_grace": "2s",
        "retry": {"max_attempts": 1, "backoff": "1s", "on": ["error"], "on_lost": false},
        "body_max": "6MiB",
        "result_max": "6MiB", "result": "stdout", "keep_alive": "5m", "reserved": 0,
        "sidecar": null, "callbacks": [] })");
    REQUIRE(function);
    CHECK(function->env.front().first == "A");
    CHECK(function->body_max == 6u << 20);
}

TEST_CASE("what a later version brings is refused by name") {
    const auto [member, name] = GENERATE(table<std::string, std::string>({
        {R"("reserved":1)", "reserved above 0"},
        {R"("sidecar":{})", "sidecar"},
        {R"("callbacks":["https://x"])", "callbacks"},
    }));
    const auto function = parse(R"({"handler":"app.main",)" + member + "}");
    REQUIRE_FALSE(function);
    CHECK(function.error() == make_error(Errc::unsupported,
                                         name + " is not available in this version",
                                         "not-available"));
}

TEST_CASE("a heartbeat timeout is none, or at least a second") {
    CHECK(parse(R"({"handler":"a.b"})")->heartbeat_timeout == Duration::zero());
    CHECK(parse(R"({"handler":"a.b","heartbeat_timeout":"0"})")->heartbeat_timeout ==
          Duration::zero());
    CHECK(parse(R"({"handler":"a.b","heartbeat_timeout":"30s"})")->heartbeat_timeout ==
          std::chrono::seconds(30));
    const auto short_one = parse(R"({"handler":"a.b","heartbeat_timeout":"500ms"})");
    REQUIRE_FALSE(short_one);
    CHECK(short_one.error().message.find("heartbeat_timeout") != std::string::npos);
}

TEST_CASE("a retry policy is read, and written as it was read") {
    const auto function = parse(R"({"handler":"app.main","retry":{"max_attempts":5,"backoff":"2s",
        "backoff_max":"1m","multiplier":3,"jitter":0.5,"on":["exit","lost"],
        "budget":{"ratio":0.1,"per_minute":7}}})");
    REQUIRE(function);
    const RetrySpec& retry = function->retry;
    CHECK(retry.max_attempts == 5);
    CHECK(retry.backoff == std::chrono::seconds(2));
    CHECK(retry.backoff_max == std::chrono::minutes(1));
    CHECK(retry.multiplier == 3);
    CHECK(retry.jitter == 0.5);
    CHECK(retry.on == (set_of(FailureReason::exit) | set_of(FailureReason::lost)));
    CHECK(retry.budget_ratio == 0.1);
    CHECK(retry.budget_per_minute == 7);
    for (const Strictness strictness : {Strictness::public_api, Strictness::internal}) {
        auto named = *function;
        named.name = FunctionName{"f"};
        const auto again = parse_function(to_json(named), strictness);
        REQUIRE(again);
        CHECK(again->retry == retry);
    }
    CHECK(parse(R"({"handler":"a.b"})")->retry == RetrySpec{});
    CHECK(parse(R"({"handler":"a.b","retry":{"backoff":"1h"}})")->retry.backoff_max ==
          std::chrono::hours(1));
}

TEST_CASE("a retry policy that is none is refused by member and bound") {
    const auto [retry, message] = GENERATE(table<std::string, std::string>({
        {R"({"max_attempts":0})", "retry.max_attempts"},
        {R"({"max_attempts":101})", "retry.max_attempts"},
        {R"({"on":["route"]})", "retry.on has \"route\""},
        {R"({"multiplier":0.5})", "retry.multiplier must be 1"},
        {R"({"jitter":2})", "retry.jitter must be 0"},
        {R"({"backoff":"1m","backoff_max":"1s"})", "retry.backoff_max must not be less"},
        {R"({"budget":{"ratio":11}})", "retry.budget.ratio must be 0"},
        {R"({"budget":{"rate":1}})", "retry.budget.rate"},
    }));
    const auto function = parse(R"({"handler":"a.b","retry":)" + retry + "}");
    REQUIRE_FALSE(function);
    INFO(function.error().message);
    CHECK(function.error().message.find(message) != std::string::npos);
}

TEST_CASE("handlers and servers may take several runs at once, and a function keeps its version") {
    const auto shared = parse(R"({"handler":"app.main","concurrency":8})");
    REQUIRE(shared);
    CHECK(shared->concurrency == 8);
    CHECK(memory_mb_of_run(*shared) == 64);
    CHECK(parse(R"({"mode":"http","command":["x"],"concurrency":100})"));
    const auto one = parse(R"({"handler":"app.main","concurrency":1})");
    REQUIRE(one);
    CHECK(canonical(*one) == canonical(*parse(R"({"handler":"app.main"})")));
    CHECK(canonical(*one) != canonical(*shared));
    const auto custom =
        parse(R"({"runtime":"custom","mode":"handler","command":["x"],"concurrency":2})");
    REQUIRE_FALSE(custom);
    CHECK(custom.error().type == "not-available");
    CHECK(custom.error().message.find("concurrency above 1 with runtime custom") !=
          std::string::npos);
}

TEST_CASE("handlers of Node, and clients that a function brings itself, are taken") {
    const auto node = parse(R"({"runtime":"node","handler":"lib/my-app.handlers.main"})");
    REQUIRE(node);
    CHECK(node->runtime == "node");
    CHECK(node->handler == "lib/my-app.handlers.main");
    const auto custom = parse(
        R"({"mode":"handler","runtime":"custom","handler":"A::B","command":["./bootstrap"]})");
    REQUIRE(custom);
    CHECK(custom->handler == "A::B");
    CHECK(parse(R"({"mode":"handler","runtime":"custom","command":["./bootstrap"]})"));
}

TEST_CASE("a server's document has its command and paths") {
    const auto plain = parse(R"({"name":"s","mode":"http","command":["./serve"]})");
    REQUIRE(plain);
    CHECK(plain->mode == FunctionMode::http);
    CHECK(plain->http == HttpSpec{"/", ""});
    const auto whole = parse(R"({"name":"s","mode":"http","command":["./serve"],)"
                             R"("http":{"path":"/run?x=1","ready_path":"/ready"}})");
    REQUIRE(whole);
    CHECK(whole->http == HttpSpec{"/run?x=1", "/ready"});
    const std::string written = to_json(*whole).dump();
    CHECK(written.find(R"("http":{"path":"/run?x=1","ready_path":"/ready"})") != std::string::npos);
    CHECK(parse(written) == *whole);
    CHECK(parse(to_json(*plain).dump(), Strictness::internal).value() == *plain);
    CHECK(canonical(*plain) != canonical(*whole));
}

TEST_CASE("a wrong document is refused with the member and its bound") {
    const auto [text, part] = GENERATE(table<std::string, std::string>({
        {"[]", "must be a JSON object"},
        {"{}", "mode is missing"},
        {R"({"handler":"a.b","command":["x"]})", "mode is missing"},
        {R"({"mode":"lambda"})", "mode must be \"handler\", \"http\" or \"exec\""},
        {R"({"mode":"handler"})", "handler is missing"},
        {R"({"handler":"main"})", "handler must be a module and a function"},
        {R"({"handler":"../app.main"})", "handler must be"},
        {R"({"handler":"app..main"})", "handler must be"},
        {R"({"mode":"handler","handler":"a.b","command":["x"]})", "command has no meaning"},
        {R"({"handler":"a.b","result":"file"})", "result \"file\" has no meaning"},
        {R"({"handler":"a.b","runtime":"cobol"})", "there are python, node, custom"},
        {R"({"handler":"../a.b","runtime":"node"})", "handler must be"},
        {R"({"handler":"lib//a.b","runtime":"node"})", "handler must be"},
        {R"({"handler":"lib/a","runtime":"node"})", "handler must be"},
        {R"({"handler":"lib/a.b"})", "handler must be"},
        {R"({"mode":"handler","runtime":"custom"})", "command is missing: runtime custom"},
        {R"({"mode":"http"})", "command is missing: mode http starts it"},
        {R"({"mode":"http","command":["x"],"handler":"a.b"})",
         "handler has no meaning in mode http"},
        {R"({"mode":"http","command":["x"],"runtime":"node"})", "runtime has no meaning"},
        {R"({"mode":"http","command":["x"],"result":"file"})", "result \"file\" has no meaning"},
        {R"({"mode":"http","command":["x"],"http":{"path":"run"}})", "http.path must begin with"},
        {R"({"mode":"http","command":["x"],"http":{"ready_path":"/a b"}})", "http.ready_path must"},
        {R"({"mode":"http","command":["x"],"http":{"port":80}})", "unknown member 'http.port'"},
        {R"({"mode":"http","command":["x"],"http":"/"})", "http must be an object"},
        {R"({"command":["x"],"http":{}})", "http has a meaning in mode http alone"},
        {R"({"mode":"exec"})", "command is missing"},
        {R"({"command":[]})", "command is missing"},
        {R"({"command":[""]})", "command is missing"},
        {R"({"command":["a\u0000b"]})", "command must not contain NUL"},
        {R"({"command":"ls"})", "command must be an array of strings"},
        {R"({"mode":"exec","command":["x"],"handler":"a.b"})", "handler has no meaning"},
        {R"({"command":["x"],"runtime":"python"})", "runtime has no meaning"},
        {R"({"command":["x"],"name":"../etc"})", "name is wrong: a function name must be"},
        {R"({"command":["x"],"package":"sha256:1"})", "package is wrong: a digest must be"},
        {R"({"command":["x"],"env":{"1A":"x"}})", "env has a name that is none"},
        {R"({"command":["x"],"env":{"LONGHAUL_ID":"x"}})", "'LONGHAUL_ID'"},
        {R"({"command":["x"],"env":{"A":"x\u0000"}})", "env must not contain NUL"},
        {R"({"command":["x"],"env":{"A":1}})", "env must be an object"},
        {R"({"command":["x"],"max_running":0})", "max_running must be between 1 and 100000, is 0"},
        {R"({"command":["x"],"max_queued":10000001})", "max_queued must be between 1 and 10000000"},
        {R"({"command":["x"],"memory_mb":-1})", "memory_mb must be between 1 and 1048576"},
        {R"({"command":["x"],"memory_mb":4294967808})", "memory_mb must be between"},
        {R"({"command":["x"],"timeout":"4h"})", "timeout must be between 1s and 3h, is 4h"},
        {R"({"command":["x"],"timeout":"0s"})", "timeout must be between 1s and 3h"},
        {R"({"command":["x"],"cancel_grace":"2h"})", "cancel_grace must be between 0s and 1h"},
        {R"({"command":["x"],"body_max":"2GiB"})", "body_max must be between 0 and 1GiB, is 2GiB"},
        {R"({"command":["x"],"result":"stderr"})", "result must be \"stdout\" or \"file\""},
        {R"({"command":["x"],"retry":5})", "retry must be an object"},
        {R"({"command":["x"],"retry":{"times":1}})", "unknown member 'retry.times'"},
        {R"({"command":["x"],"concurrency":0})", "concurrency must be between 1 and 100"},
        {R"({"handler":"a.b","concurrency":101})", "concurrency must be between 1 and 100"},
        {R"({"command":["x"],"concurrency":2})", "concurrency above 1 has no meaning in mode exec"},
        {R"({"command":["x"],"callbacks":{}})", "callbacks must be an array"},
        {R"({"command":["x"],"memory":512})", "unknown member 'memory'"},
    }));
    INFO(text);
    const auto function = parse(text);
    REQUIRE_FALSE(function);
    CHECK(function.error().code == Errc::invalid_argument);
    INFO(function.error().message);
    CHECK(function.error().message.find(part) != std::string::npos);
}

TEST_CASE("commands and variables have limits on count and bytes") {
    Json many = Json::array();
    for (int i = 0; i < 257; ++i) many.push("x");
    Json document = Json::object();
    document.set("command", std::move(many));
    CHECK(parse_function(document, Strictness::public_api).error().message ==
          "command has more than 256 items");
    Json large = Json::object();
    large.set("command", Json::Array{Json{std::string(65'537, 'x')}});
    CHECK(parse_function(large, Strictness::public_api).error().message ==
          "command has more than 65536 bytes");
    Json env = Json::object();
    env.set("A", std::string(65'536, 'x'));
    large.set("command", Json::Array{Json{"x"}}).set("env", std::move(env));
    CHECK(parse_function(large, Strictness::public_api).error().message ==
          "env has more than 65536 bytes");
}

TEST_CASE("the longest execution timeout is the caller's choice") {
    const Json document = parse_json(R"({"command":["x"],"timeout":"7d"})").value();
    CHECK_FALSE(parse_function(document, Strictness::public_api));
    CHECK(parse_function(document, Strictness::public_api, 168h));
}

TEST_CASE("between components a function comes back exactly as it was") {
    const FunctionSpec function = full();
    const auto parsed = parse(to_json(function).dump(), Strictness::internal);
    REQUIRE(parsed);
    CHECK(*parsed == function);
    FunctionSpec small;
    small.name = {"a"};
    CHECK(parse(to_json(small).dump(), Strictness::internal).value() == small);
}

TEST_CASE("between components unknown members are ignored and wrong ones are not") {
    CHECK(parse(R"({"name":"a","mode":"exec","new":1})", Strictness::internal));
    CHECK_FALSE(parse(R"({"mode":"exec"})", Strictness::internal));
    CHECK_FALSE(parse(R"({"name":"a","mode":"exec","package":"../x"})", Strictness::internal));
    CHECK_FALSE(parse(R"({"name":"a","mode":"exec","version":"v1"})", Strictness::internal));
}

TEST_CASE("a document that was read can be written back") {
    const auto first = parse(R"({"name":"a","command":["x"],"timeout":"1h"})").value();
    FunctionSpec stored = first;
    stored.version = {"sha256:" + std::string(64, '0')};
    CHECK(parse(to_json(stored).dump()).value() == first);
}

TEST_CASE("the canonical document does not depend on version or order") {
    FunctionSpec function = full();
    const std::string text = canonical(function);
    function.version = {};
    std::swap(function.env[0], function.env[1]);
    CHECK(canonical(function) == text);
    function.memory_mb = 6;
    CHECK(canonical(function) != text);
}

TEST_CASE("the canonical document is golden: versions depend on it") {
    FunctionSpec function =
        parse(R"({"name":"count","command":["/bin/sh","run.sh"],"env":{"B":"2","A":"1"}})").value();
    CHECK(
        canonical(function) ==
        R"({"name":"count","mode":"exec","command":["/bin/sh","run.sh"],"env":{"A":"1","B":"2"},)"
        R"("package":null,)"
        R"("max_running":10,"max_queued":100000,"memory_mb":512,"cpu_millis":1000,"timeout":"15m",)"
        R"("load_timeout":"30s",)"
        R"("queue_ttl":"1d","cancel_grace":"30s","timeout_grace":"10s","kill_grace":"2s",)"
        R"("keep_alive":"5m",)"
        R"("body_max":6291456,"result_max":6291456,"result":"stdout"})");
}

TEST_CASE("function.toml is the same document") {
    const auto toml = parse_toml(R"(
name = "report"
handler = "app.main"
timeout = "10m"
max_running = 3
[env]
DATA = "data.csv"
[retry]
max_attempts = 1
on_lost = false
on = ["error"]
)",
                                 "function.toml");
    REQUIRE(toml);
    const auto function = parse_function(json_from(*toml), Strictness::public_api);
    REQUIRE(function);
    CHECK(function->max_running == 3);
    CHECK(function->timeout == 10min);
    CHECK(function->env == std::vector<std::pair<std::string, std::string>>{{"DATA", "data.csv"}});
    const auto wrong = parse_toml("handler = \"a.b\"\nmax_runing = 3\n", "function.toml").value();
    CHECK(parse_function(json_from(wrong), Strictness::public_api).error().message ==
          "unknown member 'max_runing'");
}
