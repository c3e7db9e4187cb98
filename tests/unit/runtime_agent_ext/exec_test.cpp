// Mode exec with real processes. Guards I3, I10, I11.
#include "longhaul/crypto/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace longhaul::test {
namespace {

bool contains(const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::find(lines, text) != lines.end();
}

}  // namespace

TEST_CASE("an exec function gets its body on stdin and its stdout is the result") {
    AgentBed bed;
    CHECK(bed.last->state == "standby");
    REQUIRE(bed.load_shell("cat; echo said >&2").status == 200);
    const auto end = bed.run("a", "hello");
    CHECK(end.outcome == AttemptOutcome::succeeded);
    CHECK(end.exit_code == 0);
    REQUIRE(end.result);
    CHECK(end.result->is_inline);
    CHECK(end.result->bytes == "hello");
    CHECK(end.tree_gone);
    CHECK(contains(bed.log("a"), "said"));
    bed.wait_state("loaded");
}

TEST_CASE("an instance runs one invocation after another") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    for (const char* id : {"a", "b", "c"}) CHECK(bed.run(id, id).result->bytes == id);
}

TEST_CASE("exit code and signal of an exec function are told") {
    AgentBed bed;
    REQUIRE(bed.load_shell("exit 7").status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::exit);
    CHECK(end.exit_code == 7);

    AgentBed other;
    REQUIRE(other.load_shell("kill -SEGV $$").status == 200);
    const auto crash = other.run("a");
    CHECK(crash.reason == FailureReason::signal);
    CHECK(crash.signal == 11);
    CHECK(crash.message == "ended by signal 11 (SIGSEGV)");
}

TEST_CASE("an exec function knows who it is and nothing of who started it") {
    AgentBed bed;
    bed.function.env = {{"GREETING", "hi"}, {"LONGHAUL_TENANT", "forged"}};
    REQUIRE(bed.load_exec({"env"}).status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.result);
    const std::string& env = end.result->bytes;
    for (const char* line :
         {"LONGHAUL_INVOCATION_ID=a\n", "LONGHAUL_ATTEMPT=1\n", "LONGHAUL_FUNCTION=f\n",
          "LONGHAUL_TENANT=acme\n", "GREETING=hi\n", "LONGHAUL_DEADLINE_MS=",
          "LONGHAUL_PROGRESS_URL="})
        CHECK(env.find(line) != std::string::npos);
    CHECK(env.find("instance-secret") == std::string::npos);
    CHECK(env.find("forged") == std::string::npos);
}

TEST_CASE("a large body and a large result pass without deadlock") {
    AgentBed bed;
    REQUIRE(bed.load_exec({"cat"}).status == 200);
    const std::string body(3u << 20, 'b');
    StartOptions options;
    options.sha256 = crypto::sha256_hex(body);
    const auto end = bed.run("a", body, options);
    REQUIRE(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.result);
    CHECK_FALSE(end.result->is_inline);
    CHECK(end.result->size == body.size());
    CHECK(end.result->sha256 == options.sha256);
    CHECK(bed.store_file("a.1.result") == body);
}

TEST_CASE("a result above its limit fails the run and leaves nothing in the store") {
    AgentBed bed;
    bed.function.result_max = 100'000;
    REQUIRE(bed.load_shell("head -c 200000 /dev/zero").status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::result_too_large);
    CHECK(end.message.find("100000 bytes") != std::string::npos);
    CHECK(std::filesystem::is_empty(bed.folder / "store"));
}

TEST_CASE("a function may leave its result in a file, and its stdout is log then") {
    AgentBed bed;
    bed.function.result_is_file = true;
    REQUIRE(bed.load_shell("echo to the log; printf filed > $LONGHAUL_RESULT").status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.result);
    CHECK(end.result->bytes == "filed");
    CHECK(contains(bed.log("a"), "to the log"));
}

TEST_CASE("a link in place of the result file is not followed") {
    AgentBed bed;
    bed.function.result_is_file = true;
    REQUIRE(bed.load_shell("ln -s /etc/passwd $LONGHAUL_RESULT").status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::result_lost);
    CHECK_FALSE(end.result);
}

TEST_CASE("a command that cannot be started fails the run with the reason") {
    AgentBed bed;
    REQUIRE(bed.load_exec({"no-such-program"}).status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.message == "cannot execute 'no-such-program': No such file or directory");
}

TEST_CASE("a run past its time limit is stopped and timed out") {
    AgentBed bed;
    REQUIRE(bed.load_shell("echo on >&2; exec sleep 100").status == 200);
    StartOptions options;
    options.timeout_ms = 100;
    options.grace_ms = 20'000;  // enough on a busy machine too
    const auto end = bed.run("a", "", options);
    CHECK(end.outcome == AttemptOutcome::timed_out);
    CHECK(end.stop_cause == StopCause::timeout);
    CHECK_FALSE(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(end.signal == 15);
    CHECK(bed.descendants().empty());
    bed.wait_state("broken");
}

TEST_CASE("what ignores SIGTERM, double-forks and holds its pipes is gone after a kill") {
    AgentBed bed;
    const std::string script =
        "trap '' TERM; (setsid sh -c \"trap '' TERM; (sleep 300 & sleep 300) & sleep 300\" &);"
        "echo ready >&2; while :; do sleep 1; done";
    REQUIRE(bed.load_shell(script).status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_log("a", "ready");
    bed.wait_until([&] { return bed.descendants().size() >= 4; }, "tree");
    const TimePoint asked = bed.clock.now();
    CHECK(bed.kill("a", wire::KillMode::kill, 300) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(bed.clock.now() - asked < std::chrono::milliseconds(1300));
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(bed.descendants().empty());
}

TEST_CASE("a cancel lets the function end in its grace") {
    AgentBed bed;
    // Ready only once its child executes: a child that has the signal before that inherits the trap
    // and loses the signal.
    REQUIRE(
        bed.load_shell("trap 'echo bye >&2; exit 0' TERM; sleep 100 & "
                       "until read -r name < /proc/$!/comm && [ \"$name\" = sleep ]; do :; done; "
                       "echo ready >&2; wait")
            .status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_log("a", "ready");
    (void)bed.kill("a", wire::KillMode::cancel, 20'000);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK_FALSE(end.sigkill_sent);
    CHECK(end.exit_code == 0);
    CHECK(contains(bed.log("a"), "bye"));
}

TEST_CASE("a flood of output is bounded and harms nobody") {
    AgentBed bed({"--log-bytes-max", "100000"});
    bed.function.result_is_file = true;
    REQUIRE(bed.load_shell("yes | head -c 20000000; echo done").status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::succeeded);
    const std::string log = bed.log_file("a");
    CHECK(log.size() < 101'000);
    CHECK(log.find(" s d ") != std::string::npos);
    CHECK(bed.run("b").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a process that keeps the pipes open does not keep the run, but breaks the instance") {
    AgentBed bed;
    REQUIRE(bed.load_shell("echo result; sleep 300 &").status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.result);
    CHECK(end.result->bytes == "result\n");
    CHECK_FALSE(end.tree_gone);
    bed.wait_state("broken");
    CHECK(bed.descendants().size() == 1);
    const auto destroyed = bed.control("POST", "/v1/destroy");
    CHECK(destroyed.body.find("\"tree_gone\":true") != std::string::npos);
    CHECK(bed.descendants().empty());
    bed.wait_until([&] { return !bed.agent_alive(); }, "the exit");
}

TEST_CASE("a function dies with its runtime agent") {
    AgentBed bed;
    REQUIRE(bed.load_exec({"sleep", "300"}).status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_rank("a", wire::Rank::running);
    const auto children = bed.descendants();
    REQUIRE(children.size() == 1);
    auto pidfd = process::open_process(children[0].pid, children[0].start_time);
    REQUIRE(pidfd);
    bed.kill_agent();
    auto waiting = process::wait_gone(*pidfd, bed.clock, std::chrono::seconds(10));
    boost::asio::io_context io;
    bool gone = false;
    boost::asio::co_spawn(io, std::move(waiting), [&](std::exception_ptr, Result<void> result) {
        gone = result.has_value();
    });
    io.run();
    CHECK(gone);
}

TEST_CASE("progress reaches the host agent") {
    AgentBed bed;
    REQUIRE(bed.load_shell("curl -fsS -d '{\"percent\":40,\"message\":\"half\"}' "
                           "$LONGHAUL_PROGRESS_URL").status == 200);
    const auto end = bed.run("a");
    INFO(end.message);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.progress);
    CHECK(end.progress->percent == 40);
    CHECK(end.progress->message == "half");
}

TEST_CASE("as root an instance's function is a user of its own, with its own work folder") {
    if (::geteuid() != 0) return;
    AgentBed bed({"--uid", "54321", "--gid", "54321"});
    REQUIRE(bed.load_shell("id -u; touch $TMPDIR/x && ls $TMPDIR; cat $HOME/../../c.sock 2>&1; "
                           "kill -9 $PPID 2>/dev/null || echo safe")
                .status == 200);
    const auto end = bed.run("a");
    INFO(end.message);
    REQUIRE(end.result);
    CHECK(end.result->bytes.starts_with("54321\nx\n"));
    CHECK(end.result->bytes.ends_with("safe\n"));
    bed.wait_state("loaded");
}

TEST_CASE("a function cannot start more processes than its limit") {
    AgentBed bed({"--uid", "54322", "--gid", "54322", "--pids-max", "20"});
    if (::geteuid() != 0) return;
    REQUIRE(bed.load_shell("for i in $(seq 60); do sleep 300 & done; echo all").status == 200);
    (void)bed.run("a");
    CHECK(bed.descendants().size() <= 20);
    (void)bed.control("POST", "/v1/destroy");
    // On a busy machine the agent may give up waiting for them before they are reaped.
    bed.wait_until([&] { return bed.descendants().empty(); }, "nothing is left");
}

}  // namespace longhaul::test
