// Mode handler with our Python runner. Guards I3, I10.
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <unistd.h>

#include <algorithm>

namespace longhaul::test {
namespace {

bool contains(const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("a Python handler gets its event parsed and its value is the result") {
    AgentBed bed;
    const auto loaded = bed.load_python(
        "print('imported')\n"
        "def main(event, context):\n"
        "    print('line', event['n'])\n"
        "    return {'n': event['n'] + 1, 'id': context.invocation_id, 'tenant': context.tenant,\n"
        "            'left': context.remaining_ms() > 1000, 'user': context.headers['x-user']}\n");
    INFO(loaded.body);
    REQUIRE(loaded.status == 200);
    CHECK(loaded.body.find("\"import\":") != std::string::npos);
    const auto end = bed.run("a", "{\"n\": 41}");
    INFO(end.message);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.result);
    CHECK(end.result->content_type == "application/json");
    CHECK(end.result->bytes ==
          R"({"n": 42, "id": "a", "tenant": "acme", "left": true, "user": "me"})");
    CHECK(bed.log("a") == std::vector<std::string>{"line 41"});
    CHECK(end.usage.max_rss_bytes > 1'000'000);
    CHECK_FALSE(end.trace.empty());
}

TEST_CASE("a loaded Python instance serves run after run in one process") {
    AgentBed bed;
    REQUIRE(bed.load_python("import os\ndef main(event, context):\n    return str(os.getpid())\n")
                .status == 200);
    const auto first = bed.run("a", "1");
    const auto second = bed.run("b", "2");
    CHECK(first.result->bytes == second.result->bytes);
    CHECK(second.result->content_type == "text/plain; charset=utf-8");
    bed.wait_state("loaded");
}

TEST_CASE("bytes go in and out as they are") {
    AgentBed bed;
    REQUIRE(bed.load_python("def main(event, context):\n    return event[::-1]\n").status == 200);
    StartOptions options;
    options.content_type = "application/octet-stream";
    const std::string body("\x00\xff\x01", 3);
    const auto end = bed.run("a", body, options);
    REQUIRE(end.result);
    CHECK(end.result->bytes == std::string("\x01\xff\x00", 3));
    const std::string large(2u << 20, 'z');
    CHECK(bed.run("b", large, options).result->size == large.size());
}

TEST_CASE("an exception in a handler is a failure with type, message and trace") {
    AgentBed bed;
    REQUIRE(bed.load_python("def main(event, context):\n    raise ValueError('no such thing')\n")
                .status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::error);
    CHECK(end.error_type == "ValueError");
    CHECK(end.message == "no such thing");
    CHECK(contains(bed.log("a"), "app.py\", line 2, in main"));
    CHECK(bed.run("b").outcome == AttemptOutcome::failed);
}

TEST_CASE("code that cannot be imported fails the load, with its trace in the run's log") {
    AgentBed bed;
    REQUIRE(bed.assign("a").status == 200);
    const auto loaded = bed.load_python("import no_such_module\n");
    CHECK(loaded.status == 422);
    CHECK(loaded.problem_type() == "load-failed");
    CHECK(loaded.body.find("ModuleNotFoundError: No module named") != std::string::npos);
    CHECK(contains(bed.log("a"), "import no_such_module"));
    bed.wait_state("broken");
}

TEST_CASE("a handler that is not there fails the load") {
    AgentBed bed;
    CHECK(bed.load_python("x = 1\n", "app.missing").body.find("AttributeError") !=
          std::string::npos);
}

TEST_CASE("code that ends the process while it is imported fails the load") {
    AgentBed bed;
    const auto loaded = bed.load_python("import os\nos._exit(3)\n");
    CHECK(loaded.status == 422);
    CHECK(loaded.body.find("exit code 3") != std::string::npos);
    bed.wait_state("broken");
}

TEST_CASE("a Python handler reports progress") {
    AgentBed bed;
    REQUIRE(bed.load_python("def main(event, context):\n    context.progress(25, 'a quarter')\n")
                .status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.progress);
    CHECK(end.progress->percent == 25);
    CHECK(end.progress->message == "a quarter");
    REQUIRE(end.result);
    CHECK(end.result->bytes == "null");
}

TEST_CASE("a killed Python handler is gone and its instance broken") {
    AgentBed bed;
    REQUIRE(bed.load_python("import signal, time\n"
                            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                            "def main(event, context):\n"
                            "    print('on')\n"
                            "    while True: time.sleep(1)\n")
                .status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_log("a", "on");
    CHECK(bed.kill("a", wire::KillMode::kill, 100) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(end.signal == 9);
    CHECK(bed.descendants().empty());
    bed.wait_state("broken");
}

TEST_CASE("a handler that exits fails its run and breaks the instance") {
    AgentBed bed;
    REQUIRE(bed.load_python("import os\ndef main(event, context):\n    os._exit(5)\n").status ==
            200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::exit);
    CHECK(end.exit_code == 5);
    bed.wait_state("broken");
}

TEST_CASE("a handler that leaves a process behind breaks the instance") {
    AgentBed bed;
    REQUIRE(bed.load_python("import subprocess\n"
                            "def main(event, context):\n"
                            "    subprocess.Popen(['sleep', '300'])\n")
                .status == 200);
    CHECK(bed.run("a").outcome == AttemptOutcome::succeeded);
    bed.wait_state("broken");
    (void)bed.control("POST", "/v1/destroy");
    CHECK(bed.descendants().empty());
}

TEST_CASE("a standby runtime waits for its load") {
    AgentBed bed({"--prestart", "python"});
    bed.wait_until([&] { return bed.descendants().size() == 1; }, "the runtime");
    REQUIRE(bed.load_python("def main(event, context):\n    return 1\n").status == 200);
    CHECK(bed.run("a").result->bytes == "1");
    CHECK(bed.descendants().size() == 1);
}

TEST_CASE("as root a Python function is a user of its own") {
    if (::geteuid() != 0) return;
    AgentBed bed({"--uid", "54323", "--gid", "54323"});
    REQUIRE(
        bed.load_python("import os\ndef main(event, context):\n    return os.getuid()\n").status ==
        200);
    CHECK(bed.run("a").result->bytes == "54323");
    bed.wait_state("loaded");
}

TEST_CASE("a load that hangs is ended by its time limit") {
    AgentBed bed;
    bed.load_ms = 300;
    const auto loaded = bed.load_python("while True: pass\n");
    CHECK(loaded.problem_type() == "load-timeout");
    bed.wait_state("broken");
    bed.wait_until([&] { return bed.descendants().empty(); }, "the runtime's end");
}

}  // namespace longhaul::test
