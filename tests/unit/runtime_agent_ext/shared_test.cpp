// Several runs in one instance, with real runners and servers. Guards I3, I10.
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <algorithm>

namespace longhaul::test {
namespace {

bool contains(const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

void begin(AgentBed& bed, const std::string& id, const std::string& body = "",
           const StartOptions& options = {}) {
    const auto assigned = bed.assign(id);
    INFO(assigned.body);
    REQUIRE(assigned.status == 200);
    const auto started = bed.start(id, body, options);
    INFO(started.body);
    REQUIRE(started.status == 202);
}

// The file for which a handler waits before it returns.
void let_go(AgentBed& bed, const std::string& id) {
    std::FILE* file = std::fopen((bed.code_dir + "/go-" + id).c_str(), "w");
    REQUIRE(file != nullptr);
    std::fclose(file);
}

// Each says its name, by a thread of its own too, and waits until it may return or is told to.
const char* const kPython =
    "import logging, os, sys, threading, time\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(2)\n"
    "def main(event, context):\n"
    "    me = context.invocation_id\n"
    "    print('begin ', end='')\n"
    "    time.sleep(0.01)\n"
    "    print(me)\n"
    "    thread = threading.Thread(target=lambda: print('thread of', me))\n"
    "    thread.start(); thread.join()\n"
    "    pool.submit(print, 'pool of', me).result()\n"
    "    sys.stderr.write('error of ' + me + '\\n')\n"
    "    while not os.path.exists('go-' + me):\n"
    "        if event == 'deaf': time.sleep(0.005)\n"
    "        elif context.cancelled.wait(0.005):\n"
    "            print('returns', end='')\n"
    "            return None\n"
    "    return me + ' ' + str(os.getpid())\n";

const char* const kCoroutine =
    "import asyncio, os\n"
    "async def main(event, context):\n"
    "    me = context.invocation_id\n"
    "    try:\n"
    "        print('begin', me)\n"
    "        while not os.path.exists('go-' + me): await asyncio.sleep(0.005)\n"
    "        await asyncio.to_thread(print, 'thread of', me)\n"
    "    finally:\n"
    "        await asyncio.sleep(0.05)\n"
    "        print('cleaned up', me)\n"
    "    return me\n";

const char* const kNode =
    "const fs = require('node:fs');\n"
    "const { setTimeout: sleep } = require('node:timers/promises');\n"
    "exports.main = async (event, context) => {\n"
    "  const me = context.invocationId;\n"
    "  process.stdout.write('begin ');\n"
    "  await sleep(10);\n"
    "  console.log(me);\n"
    "  console.error('error of ' + me);\n"
    "  if (event === 'throw') setTimeout(() => { throw new RangeError('in a timer'); });\n"
    "  while (!fs.existsSync('go-' + me))\n"
    "    await sleep(5, null, event === 'deaf' ? {} : { signal: context.signal });\n"
    "  return me;\n"
    "};\n";

// What is said on the two streams may come in any order.
std::vector<std::string> sorted(std::vector<std::string> lines) {
    std::ranges::sort(lines);
    return lines;
}

// As a server of mode http, which says whose line it is where `tagged`.
std::string server(bool tagged) {
    return std::string(
               "import http.server, os, sys, time\n"
               "class Handler(http.server.BaseHTTPRequestHandler):\n"
               "    def log_message(self, *words): pass\n"
               "    def do_POST(self):\n"
               "        me = self.headers['Longhaul-Invocation-Id']\n"
               "        tag = self.headers['Longhaul-Log-Tag'] + ' '\n"
               "        self.rfile.read(int(self.headers.get('Content-Length', '0')))\n") +
           "        print(" + (tagged ? "tag + " : "") +
           "'begin ' + me, flush=True)\n"
           "        while not os.path.exists('go-' + me): time.sleep(0.005)\n"
           "        self.send_response(200)\n"
           "        self.send_header('Content-Length', str(len(me)))\n"
           "        self.end_headers()\n"
           "        self.wfile.write(me.encode())\n"
           "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler)"
           ".serve_forever()\n";
}

}  // namespace

TEST_CASE("Python handlers run beside each other, and each log has its own lines") {
    AgentBed bed;
    bed.function.concurrency = 3;
    const auto loaded = bed.load_python(kPython);
    INFO(loaded.body);
    REQUIRE(loaded.status == 200);
    for (const std::string id : {"a", "b", "c"}) begin(bed, id);
    for (const std::string id : {"a", "b", "c"}) bed.wait_log(id, "error of " + id);
    CHECK(bed.assign("d").status == 409);
    for (const std::string id : {"c", "b", "a"}) let_go(bed, id);
    std::string process;
    for (const std::string id : {"a", "b", "c"}) {
        const auto end = bed.wait_end(id);
        INFO(end.message);
        REQUIRE(end.outcome == AttemptOutcome::succeeded);
        CHECK(end.result->bytes.substr(0, 2) == id + " ");
        if (process.empty()) process = end.result->bytes.substr(2);
        CHECK(end.result->bytes.substr(2) == process);
        CHECK(sorted(bed.log(id)) ==
              sorted({"begin " + id, "thread of " + id, "pool of " + id, "error of " + id}));
    }
    bed.wait_state("loaded");
}

TEST_CASE("a Python handler that returns when it is told to is cancelled, the others go on") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_python(kPython).status == 200);
    begin(bed, "a");
    begin(bed, "b");
    bed.wait_log("a", "error of a");
    CHECK(bed.kill("a", wire::KillMode::cancel, 600'000) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK(end.tree_gone);
    CHECK_FALSE(end.sigkill_sent);
    CHECK(contains(bed.log("a"), "returns"));
    let_go(bed, "b");
    CHECK(bed.wait_end("b").outcome == AttemptOutcome::succeeded);
    let_go(bed, "c");
    CHECK(bed.run("c").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a Python handler that is deaf is given up, and its instance takes nothing new") {
    AgentBed bed;
    bed.function.concurrency = 3;
    REQUIRE(bed.load_python(kPython).status == 200);
    begin(bed, "a", "\"deaf\"");
    begin(bed, "b");
    bed.wait_log("a", "error of a");
    CHECK(bed.kill("a", wire::KillMode::kill, 50) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK_FALSE(end.tree_gone);
    CHECK(end.message.find("had not returned") != std::string::npos);
    bed.wait_state("broken");
    CHECK(bed.assign("c").problem_type() == "broken");
    let_go(bed, "b");
    CHECK(bed.wait_end("b").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a deaf Python handler that is alone is killed with its tree") {
    AgentBed bed;
    bed.function.concurrency = 3;
    REQUIRE(bed.load_python(kPython).status == 200);
    begin(bed, "a", "\"deaf\"");
    bed.wait_log("a", "error of a");
    CHECK(bed.kill("a", wire::KillMode::kill, 50) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(bed.descendants().empty());
}

TEST_CASE("Python coroutines share a loop, and a cancel waits for what they clean up") {
    AgentBed bed;
    bed.function.concurrency = 4;
    REQUIRE(bed.load_python(kCoroutine).status == 200);
    for (const std::string id : {"a", "b", "c"}) begin(bed, id);
    for (const std::string id : {"a", "b", "c"}) bed.wait_log(id, "begin");
    CHECK(bed.kill("b", wire::KillMode::cancel, 600'000) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("b");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK(end.tree_gone);
    CHECK(contains(bed.log("b"), "cleaned up b"));
    for (const std::string id : {"a", "c"}) {
        let_go(bed, id);
        CHECK(bed.wait_end(id).result->bytes == id);
        CHECK(bed.log(id) ==
              std::vector<std::string>{"begin " + id, "thread of " + id, "cleaned up " + id});
    }
}

TEST_CASE("a run's time limit leaves the runs beside it alone") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_python(kPython).status == 200);
    StartOptions options;
    options.timeout_ms = 100;
    options.grace_ms = 600'000;
    begin(bed, "a", "", options);
    begin(bed, "b");
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::timed_out);
    CHECK(end.tree_gone);
    let_go(bed, "b");
    CHECK(bed.wait_end("b").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("the death of a shared process fails all its runs, each with the reason") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_python("import os\n" + std::string(kPython) +
                                "def wait(event, context):\n"
                                "    if event == 'die': os._exit(7)\n"
                                "    return main(event, context)\n",
                            "app.wait")
                .status == 200);
    begin(bed, "a");
    bed.wait_log("a", "error of a");
    begin(bed, "b", "\"die\"");
    for (const std::string id : {"a", "b"}) {
        const auto end = bed.wait_end(id);
        CHECK(end.outcome == AttemptOutcome::failed);
        CHECK(end.reason == FailureReason::exit);
        CHECK(end.exit_code == 7);
    }
    bed.wait_state("broken");
}

TEST_CASE("Node handlers run beside each other, and each log has its own lines") {
    if (no_node()) return;
    AgentBed bed;
    bed.function.concurrency = 3;
    const auto loaded = bed.load_node(kNode);
    INFO(loaded.body);
    REQUIRE(loaded.status == 200);
    for (const std::string id : {"a", "b", "c"}) begin(bed, id);
    for (const std::string id : {"a", "b", "c"}) bed.wait_log(id, "error of " + id);
    CHECK(bed.kill("b", wire::KillMode::cancel, 600'000) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("b");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK(end.tree_gone);
    for (const std::string id : {"a", "c"}) {
        let_go(bed, id);
        CHECK(bed.wait_end(id).result->bytes == id);
        CHECK(sorted(bed.log(id)) == sorted({"begin " + id, "error of " + id}));
    }
    bed.wait_state("loaded");
}

TEST_CASE("an error that no Node handler catches fails all the runs of its process") {
    if (no_node()) return;
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_node(kNode).status == 200);
    begin(bed, "a");
    bed.wait_log("a", "error of a");
    begin(bed, "b", "\"throw\"");
    for (const std::string id : {"a", "b"}) {
        const auto end = bed.wait_end(id);
        CHECK(end.outcome == AttemptOutcome::failed);
        CHECK(end.error_type == "RangeError");
    }
    bed.wait_state("broken");
}

TEST_CASE("a server answers runs beside each other, and tells their lines by the tag") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_server(server(true)).status == 200);
    begin(bed, "a");
    begin(bed, "b");
    for (const std::string id : {"a", "b"}) bed.wait_log(id, "begin");
    for (const std::string id : {"b", "a"}) {
        let_go(bed, id);
        CHECK(bed.wait_end(id).result->bytes == id);
        CHECK(bed.log(id) == std::vector<std::string>{"begin " + id});
    }
    bed.wait_state("loaded");
}

TEST_CASE("lines without a tag are the instance's where several runs are on") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_server(server(false)).status == 200);
    begin(bed, "a");
    bed.wait_log("a", "begin a");
    begin(bed, "b");
    bed.wait_log("b", "several runs are on");
    CHECK(bed.log("b").size() == 1);
    for (const std::string id : {"a", "b"}) {
        let_go(bed, id);
        CHECK(bed.wait_end(id).outcome == AttemptOutcome::succeeded);
    }
}

TEST_CASE("a stopped run of a server ends after the others, with the server") {
    AgentBed bed;
    bed.function.concurrency = 3;
    REQUIRE(bed.load_server(server(true)).status == 200);
    begin(bed, "a");
    begin(bed, "b");
    for (const std::string id : {"a", "b"}) bed.wait_log(id, "begin");
    CHECK(bed.kill("a", wire::KillMode::cancel, 600'000) == wire::KillOutcome::stopping);
    bed.wait_rank("a", wire::Rank::stopping);
    bed.wait_state("broken");
    CHECK(bed.assign("c").problem_type() == "broken");
    let_go(bed, "b");
    CHECK(bed.wait_end("b").outcome == AttemptOutcome::succeeded);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK(end.tree_gone);
    CHECK(bed.descendants().empty());
}

TEST_CASE("a stopped run of a server whose grace ends first is given up") {
    AgentBed bed;
    bed.function.concurrency = 2;
    REQUIRE(bed.load_server(server(true)).status == 200);
    begin(bed, "a");
    begin(bed, "b");
    for (const std::string id : {"a", "b"}) bed.wait_log(id, "begin");
    CHECK(bed.kill("a", wire::KillMode::kill, 50) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK_FALSE(end.tree_gone);
    let_go(bed, "b");
    CHECK(bed.wait_end("b").outcome == AttemptOutcome::succeeded);
}

}  // namespace longhaul::test
