// Mode http: real servers, in Python. Guards I3, I10.
#include "longhaul/net/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace longhaul::test {
namespace {

bool contains(const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

// A server whose answer is made by answer(self, body), which a test writes. HTTP/1.0, closed by
// each answer's end: what Python's own does when it is told nothing.
std::string server(const std::string& answer) {
    return "import http.server, json, os, signal, sys, threading, time\n"
           "class Handler(http.server.BaseHTTPRequestHandler):\n"
           "    def log_message(self, *words): pass\n"
           "    def say(self, status, body, kind='text/plain'):\n"
           "        self.send_response(status)\n"
           "        self.send_header('Content-Type', kind)\n"
           "        self.send_header('Content-Length', str(len(body)))\n"
           "        self.end_headers()\n"
           "        self.wfile.write(body)\n"
           "    def do_POST(self):\n"
           "        size = int(self.headers.get('Content-Length', '0'))\n"
           "        answer(self, self.rfile.read(size))\n"
           "    def do_GET(self):\n"
           "        ready(self)\n"
           "def ready(self): self.say(200, b'yes')\n" +
           answer +
           "print('listening', flush=True)\n"
           "http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler)"
           ".serve_forever()\n";
}

const char* const kEcho =
    "def answer(self, body):\n"
    "    print('got', len(body), flush=True)\n"
    "    self.say(200, body[::-1], self.headers.get('Content-Type', ''))\n";

// Listens on the port that the server names, before the server does.
boost::asio::awaitable<void> take_port(AgentBed& bed, process::UniqueFd& thief) {
    const std::string named = bed.code_dir + "/port";
    while (!std::filesystem::exists(named))
        co_await bed.clock.wait_until(bed.clock.now() + std::chrono::milliseconds(2));
    std::uint16_t port = 0;
    std::ifstream(named) >> port;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    thief.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(::bind(thief.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(thief.get(), 8) == 0);
    std::ofstream(bed.code_dir + "/taken") << "";
}

}  // namespace

TEST_CASE("a run is posted to the function's own server, and its answer is the result") {
    AgentBed bed;
    const auto loaded = bed.load_server(server(kEcho));
    INFO(loaded.body);
    REQUIRE(loaded.status == 200);
    StartOptions options;
    options.content_type = "application/x-own";
    const std::string body("\x00\xff\x01", 3);
    const auto end = bed.run("a", body, options);
    INFO(end.message);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    CHECK(end.http_status == 200);
    REQUIRE(end.result);
    CHECK(end.result->bytes == std::string("\x01\xff\x00", 3));
    CHECK(end.result->content_type == "application/x-own");
    CHECK(bed.log("a") == std::vector<std::string>{"got 3"});
    CHECK(end.tree_gone);
    const std::string large(2u << 20, 'z');
    CHECK(bed.run("b", large).result->size == large.size());
    CHECK(bed.run("c").result->bytes.empty());
    bed.wait_state("loaded");
}

TEST_CASE("a server stays up from run to run") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("count = 0\n"
                                   "def answer(self, body):\n"
                                   "    global count\n"
                                   "    count += 1\n"
                                   "    self.say(200, b'%d' % count)\n"))
                .status == 200);
    CHECK(bed.run("a").result->bytes == "1");
    CHECK(bed.run("b").result->bytes == "2");
    CHECK(bed.descendants().size() == 1);
}

TEST_CASE("the request names its run") {
    AgentBed bed;
    bed.function.http.path = "/jobs/run?kind=long";
    REQUIRE(bed.load_server(
                   server("def answer(self, body):\n"
                          "    names = ('Longhaul-Invocation-Id', 'Longhaul-Attempt',\n"
                          "             'Longhaul-Function', 'Longhaul-Tenant', 'x-user')\n"
                          "    assert int(self.headers['Longhaul-Deadline-Ms']) > 1e12\n"
                          "    said = ' '.join([self.path] + [self.headers[n] for n in names])\n"
                          "    self.say(200, said.encode())\n"))
                .status == 200);
    CHECK(bed.run("a").result->bytes == "/jobs/run?kind=long a 1 f acme me");
}

TEST_CASE("a server reports progress of a run where the request says") {
    AgentBed bed;
    REQUIRE(
        bed.load_server(
               server("import urllib.request\n"
                      "def answer(self, body):\n"
                      "    news = b'{\"percent\": 25, \"message\": \"a quarter\"}'\n"
                      "    urllib.request.urlopen(self.headers['Longhaul-Progress-Url'], news)\n"
                      "    self.say(204, b'')\n"))
            .status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.progress);
    CHECK(end.progress->percent == 25);
    CHECK(end.http_status == 204);
    CHECK(end.outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a status above 299 fails the run, and the body is the result all the same") {
    AgentBed bed;
    REQUIRE(
        bed.load_server(server("def answer(self, body):\n"
                               "    self.say(int(body), b'{\"why\": 1}', 'application/json')\n"))
            .status == 200);
    for (const int status : {302, 404, 500}) {
        const std::string id = "s" + std::to_string(status);
        const auto end = bed.run(id, std::to_string(status));
        CHECK(end.outcome == AttemptOutcome::failed);
        CHECK(end.reason == FailureReason::error);
        CHECK(end.http_status == status);
        CHECK(end.message == "the server answered with status " + std::to_string(status));
        REQUIRE(end.result);
        CHECK(end.result->bytes == "{\"why\": 1}");
        CHECK(end.result->content_type == "application/json");
    }
    bed.wait_state("loaded");
}

TEST_CASE("a server that is busy may say when it wants to be asked again") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("def answer(self, body):\n"
                                   "    self.send_response(int(body))\n"
                                   "    self.send_header('Retry-After', '7')\n"
                                   "    self.send_header('Content-Length', '0')\n"
                                   "    self.end_headers()\n"))
                .status == 200);
    CHECK(bed.run("a", "503").retry_after_ms == 7000);
    CHECK(bed.run("b", "429").retry_after_ms == 7000);
    CHECK_FALSE(bed.run("c", "500").retry_after_ms);
}

TEST_CASE("an answer above result_max is given up, and so is its server") {
    AgentBed bed;
    bed.function.result_max = 100'000;
    REQUIRE(bed.load_server(server("def answer(self, body):\n"
                                   "    self.send_response(200)\n"
                                   "    self.end_headers()\n"
                                   "    while True: self.wfile.write(b'x' * 65536)\n"))
                .status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::result_too_large);
    CHECK_FALSE(end.result);
    CHECK(bed.last->state == "broken");
}

TEST_CASE("a server that breaks off is given up") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("def answer(self, body):\n"
                                   "    if body: self.say(200, b'')\n"
                                   "    self.connection.close()\n"))
                .status == 200);
    CHECK(bed.run("a", "fine").outcome == AttemptOutcome::succeeded);
    const auto end = bed.run("b");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::error);
    CHECK(end.message.find("the server gave no answer") != std::string::npos);
    CHECK(bed.last->state == "broken");
}

TEST_CASE("a server that ends in a run fails it with its exit code") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("def answer(self, body):\n"
                                   "    print('goodbye', flush=True)\n"
                                   "    os._exit(5)\n"))
                .status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::exit);
    CHECK(end.exit_code == 5);
    CHECK(bed.log("a") == std::vector<std::string>{"goodbye"});
    CHECK(bed.last->state == "broken");
}

TEST_CASE("a server that ends between runs breaks the instance") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("def answer(self, body):\n"
                                   "    self.say(200, b'')\n"
                                   "    threading.Timer(0.02, lambda: os._exit(3)).start()\n"))
                .status == 200);
    CHECK(bed.run("a").outcome == AttemptOutcome::succeeded);
    bed.wait_state("broken");
}

TEST_CASE("a killed run ends its server, whatever that makes of SIGTERM") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                   "def answer(self, body):\n"
                                   "    print('on', flush=True)\n"
                                   "    time.sleep(600)\n"))
                .status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_log("a", "on");
    CHECK(bed.kill("a", wire::KillMode::kill, 100) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(bed.descendants().empty());
    bed.wait_state("broken");
}

TEST_CASE("a server that ends its run at SIGTERM is cancelled, not killed") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("stop = threading.Event()\n"
                                   "signal.signal(signal.SIGTERM, lambda *_: stop.set())\n"
                                   "def answer(self, body):\n"
                                   "    print('on', flush=True)\n"
                                   "    stop.wait(600)\n"
                                   "    self.say(200, b'stopped')\n"))
                .status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    bed.wait_log("a", "on");
    CHECK(bed.kill("a", wire::KillMode::cancel, 20'000) == wire::KillOutcome::stopping);
    const auto end = bed.wait_end("a");
    CHECK(end.outcome == AttemptOutcome::cancelled);
    CHECK_FALSE(end.sigkill_sent);
    CHECK(bed.descendants().empty());
}

TEST_CASE("a run past its timeout ends with its server") {
    AgentBed bed;
    REQUIRE(bed.load_server(server("def answer(self, body):\n    time.sleep(600)\n")).status ==
            200);
    StartOptions options;
    options.timeout_ms = 200;
    options.grace_ms = 100;
    CHECK(bed.run("a", "", options).outcome == AttemptOutcome::timed_out);
    CHECK(bed.descendants().empty());
}

TEST_CASE("a server is ready once its ready_path says so") {
    AgentBed bed;
    bed.function.http.ready_path = "/ready";
    REQUIRE(bed.load_server(server("asked = 0\n"
                                   "def ready(self):\n"
                                   "    global asked\n"
                                   "    assert self.path == '/ready'\n"
                                   "    asked += 1\n"
                                   "    self.say(200 if asked > 2 else 503, b'')\n"
                                   "def answer(self, body): self.say(200, b'%d' % asked)\n"))
                .status == 200);
    CHECK(bed.run("a").result->bytes == "3");
}

TEST_CASE("a server that is never ready fails the load, which says what was waited for") {
    AgentBed bed;
    bed.load_ms = 500;
    SECTION("it does not listen") {
        const auto loaded = bed.load_server("import time\ntime.sleep(600)\n");
        CHECK(loaded.problem_type() == "load-timeout");
        CHECK(loaded.body.find("does not listen on port") != std::string::npos);
    }
    SECTION("it answers that it is not") {
        bed.function.http.ready_path = "/ready";
        bed.load_ms = 4000;
        const auto loaded =
            bed.load_server(server("def ready(self): self.say(503, b'')\n" + std::string(kEcho)));
        CHECK(loaded.problem_type() == "load-timeout");
        CHECK(loaded.body.find("GET /ready gives status 503") != std::string::npos);
    }
    bed.wait_state("broken");
    bed.wait_until([&] { return bed.descendants().empty(); }, "the server's end");
}

TEST_CASE("a server that ends before it is ready fails the load with its last lines") {
    AgentBed bed;
    REQUIRE(bed.assign("a").status == 200);
    const auto loaded = bed.load_server("import sys\nsys.exit('no licence found')\n");
    CHECK(loaded.status == 422);
    CHECK(loaded.problem_type() == "load-failed");
    CHECK(loaded.body.find("ended with exit code 1 before it was ready") != std::string::npos);
    CHECK(loaded.body.find("no licence found") != std::string::npos);
    CHECK(contains(bed.log("a"), "no licence found"));
    bed.wait_state("broken");
}

TEST_CASE("a server whose port was taken is started on another, and the thief is not asked") {
    AgentBed bed;
    // At its first start the server names its port, waits until it is taken, and gives up.
    const std::string source =
        "if not os.path.exists('taken'):\n"
        "    open('port.new', 'w').write(os.environ['PORT'])\n"
        "    os.rename('port.new', 'port')\n"
        "    while not os.path.exists('taken'): time.sleep(0.01)\n"
        "    time.sleep(0.1)\n"
        "    sys.exit(1)\n" +
        std::string(kEcho);
    process::UniqueFd thief;
    net::TaskGroup tasks(bed.io.get_executor(), Logger());
    tasks.start("thief", take_port(bed, thief));
    const auto loaded = bed.load_server(server(source));
    INFO(loaded.body);
    CHECK(loaded.status == 200);
    CHECK(bed.run("a", "ab").result->bytes == "ba");
    CHECK(thief);
}

TEST_CASE("a server that cannot be started says so") {
    AgentBed bed;
    bed.function.mode = FunctionMode::http;
    bed.function.command = {"/no/such/server"};
    const auto loaded = bed.load();
    CHECK(loaded.status == 422);
    CHECK(loaded.body.find("cannot execute '/no/such/server'") != std::string::npos);
}

}  // namespace longhaul::test
