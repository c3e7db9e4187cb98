// What the runtime agent's listeners accept and refuse. Guards I3.
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <fstream>

namespace longhaul::test {
namespace {

// Sends bytes as they are, ends its side, and waits for the answer's first line.
std::string raw(AgentBed& bed, const std::string& text) {
    namespace asio = boost::asio;
    const std::string& address = bed.last->data_address;
    const auto colon = address.rfind(':');
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::make_address(address.substr(0, colon)),
                    static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))});
    asio::write(socket, asio::buffer(text));
    socket.shutdown(asio::ip::tcp::socket::shutdown_send);
    std::string answer;
    boost::system::error_code ignored;
    asio::read(socket, asio::dynamic_buffer(answer), ignored);
    return answer.substr(0, answer.find('\r'));
}

}  // namespace

TEST_CASE("a repeated start is answered with the run that exists, and runs once") {
    AgentBed bed;
    REQUIRE(bed.load_shell("echo x >> " + bed.folder.path() + "/count; cat").status == 200);
    const auto end = bed.run("a", "body");
    CHECK(end.outcome == AttemptOutcome::succeeded);
    const auto again = bed.start("a", "body");
    CHECK(again.status == 200);
    CHECK(again.entry().rank == wire::Rank::ended);
    std::ifstream count(bed.folder / "count");
    const std::string text((std::istreambuf_iterator<char>(count)), {});
    CHECK(text == "x\n");
}

TEST_CASE("a fence that comes before the start refuses it") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    REQUIRE(bed.assign("a").status == 200);
    CHECK(bed.kill("a", wire::KillMode::fence, 0) == wire::KillOutcome::fenced);
    const auto answer = bed.start("a");
    CHECK(answer.status == 409);
    CHECK(answer.problem_type() == "fenced");
    const auto assigned = bed.assign("a", 1);
    CHECK((assigned.status == 200 || assigned.problem_type() == "fenced"));
    CHECK(bed.run("b").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a busy instance refuses another invocation") {
    AgentBed bed;
    REQUIRE(bed.load_exec({"sleep", "100"}).status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a").status == 202);
    CHECK(bed.assign("b").problem_type() == "busy");
    const auto answer = bed.start("b");
    CHECK(answer.status == 409);
    CHECK(answer.problem_type() == "busy");
}

TEST_CASE("a run token opens the data listener for its run alone") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    StartOptions options;
    options.run_token = "guess";
    CHECK(bed.start("a", "", options).status == 401);
    (void)bed.run("a");
    REQUIRE(bed.assign("b").status == 200);
    options.run_token = "run-token-a";
    CHECK(bed.start("b", "", options).status == 401);
    options.run_token.clear();
    options.token = "wrong";
    CHECK(bed.start("b", "", options).problem_type() == "not-assigned");
}

TEST_CASE("a body that stops half way is refused and not run") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    REQUIRE(bed.assign("a").status == 200);
    const std::string head =
        "POST /v1/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer run-token-a\r\n"
        "Longhaul-Invocation: a\r\nLonghaul-Attempt: 1\r\nLonghaul-Token: t1\r\n"
        "Longhaul-Timeout-Ms: 1000\r\nContent-Length: 100\r\n\r\nonly this";
    const std::string line = raw(bed, head);
    CHECK((line.empty() || line.starts_with("HTTP/1.1 4")));
    const auto status = bed.control("GET", "/v1/status");
    CHECK(status.body.find("\"entries\":[]") != std::string::npos);
    CHECK(bed.start("a", "whole").status == 202);
}

TEST_CASE("a body with another digest is refused and not run") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    REQUIRE(bed.assign("a").status == 200);
    StartOptions options;
    options.sha256 = std::string(64, '0');
    const auto answer = bed.start("a", "x", options);
    CHECK(answer.status == 400);
    CHECK(answer.problem_type() == "digest-mismatch");
    CHECK(bed.start("a", "x").status == 202);
}

TEST_CASE("a load is one-shot") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat").status == 200);
    CHECK(bed.load_shell("cat").status == 200);
    const auto other = bed.load_shell("ls");
    CHECK(other.status == 409);
    CHECK(other.problem_type() == "already-loaded");
}

TEST_CASE("the control socket is closed to whoever lacks the secret") {
    AgentBed bed;
    net::HttpPeer peer(bed.io.get_executor(), {});
    port::PeerRequest request{"GET", "/v1/status"};
    const std::string address = "unix:" + (bed.folder / "c.sock");
    int status = 0;
    boost::asio::co_spawn(bed.io, peer.call(address, std::move(request), std::chrono::seconds(5)),
                          [&](std::exception_ptr, Result<port::PeerResponse> response) {
                              status = response ? response->status : -1;
                          });
    bed.wait_until([&] { return status != 0; }, "the answer");
    CHECK(status == 401);
}

TEST_CASE("an end is reported until it is kept, also to a host agent that was away") {
    AgentBed bed;
    bed.keep_ends = false;
    REQUIRE(bed.load_shell("cat").status == 200);
    REQUIRE(bed.assign("a").status == 200);
    bed.stop_host();
    REQUIRE(bed.start("a", "x").status == 202);
    bed.last->entries.clear();
    bed.start_host();
    CHECK(bed.wait_end("a").outcome == AttemptOutcome::succeeded);
    bed.keep_ends = true;
    bed.stop_host();
    bed.start_host();
    // Asked from out here: a call of its own cannot run inside the loop of another.
    const TimePoint until = bed.clock.now() + std::chrono::seconds(20);
    bool kept = false;
    while (!kept && bed.clock.now() < until)
        kept = bed.control("GET", "/v1/status").body.find("\"entries\":[]") != std::string::npos;
    CHECK(kept);
}

TEST_CASE("a drained agent finishes its run, has it kept, and exits") {
    AgentBed bed;
    REQUIRE(bed.load_shell("cat; until [ -e " + bed.folder.path() + "/go ]; do sleep 0.01; done")
                .status == 200);
    REQUIRE(bed.assign("a").status == 200);
    REQUIRE(bed.start("a", "x").status == 202);
    CHECK(bed.control("POST", "/v1/drain").status == 202);
    CHECK(bed.agent_alive());
    std::ofstream(bed.folder / "go") << "";
    CHECK(bed.wait_end("a").outcome == AttemptOutcome::succeeded);
    bed.wait_until([&] { return !bed.agent_alive(); }, "the exit");
}

}  // namespace longhaul::test
