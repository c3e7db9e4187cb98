// Mode handler with our Node runner. Without Node on the machine these have nothing to test, but
// for the one that wants it missing.
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace longhaul::test {
namespace {

bool contains(const std::vector<std::string>& lines, const std::string& text) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("a Node handler gets its event parsed and its value is the result") {
    if (no_node()) return;
    AgentBed bed;
    const auto loaded = bed.load_node(
        "console.log('imported');\n"
        "exports.main = async (event, context) => {\n"
        "  console.log('line', event.n);\n"
        "  console.error('to stderr');\n"
        "  return { n: event.n + 1, id: context.invocationId, tenant: context.tenant,\n"
        "           left: context.remainingMs() > 1000, user: context.headers['x-user'] };\n"
        "};\n");
    INFO(loaded.body);
    REQUIRE(loaded.status == 200);
    CHECK(loaded.body.find("\"import\":") != std::string::npos);
    const auto end = bed.run("a", "{\"n\": 41}");
    INFO(end.message);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.result);
    CHECK(end.result->content_type == "application/json");
    CHECK(end.result->bytes == R"({"n":42,"id":"a","tenant":"acme","left":true,"user":"me"})");
    CHECK(bed.log("a") == std::vector<std::string>{"line 41", "to stderr"});
    CHECK(end.usage.max_rss_bytes > 1'000'000);
}

TEST_CASE("Node modules of both kinds are loaded, whatever their ending says") {
    if (no_node()) return;
    const auto [file, source] = GENERATE(table<std::string, std::string>({
        {"app.js", "exports.main = () => 'common';\n"},
        {"app.cjs", "module.exports = { main: () => 'common' };\n"},
        {"app.mjs", "export const main = () => 'module';\n"},
        {"app.mjs", "export default { main: () => 'module' };\n"},
    }));
    AgentBed bed;
    const auto loaded = bed.load_node(source, file);
    INFO(file << ": " << loaded.body);
    REQUIRE(loaded.status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.result);
    CHECK(end.result->bytes == (file == "app.mjs" ? "module" : "common"));
    CHECK(end.result->content_type == "text/plain; charset=utf-8");
}

TEST_CASE("a Node handler may be in a folder, and in an object") {
    if (no_node()) return;
    AgentBed bed;
    std::filesystem::create_directory(bed.code_dir + "/lib");
    std::ofstream(bed.code_dir + "/package.json") << R"({"type": "module"})";
    std::ofstream(bed.code_dir + "/lib/my-app.js")
        << "export const handlers = { main: () => import.meta.url.split('/').pop() };\n";
    bed.function.mode = FunctionMode::handler;
    bed.function.runtime = "node";
    bed.function.handler = "lib/my-app.handlers.main";
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a").result->bytes == "my-app.js");
}

TEST_CASE("bytes and streams go in and out of a Node handler as they are") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("const { Readable } = require('node:stream');\n"
                          "exports.main = (event) => {\n"
                          "  if (event.length < 9) return Buffer.from(event).reverse();\n"
                          "  return Readable.from([event.subarray(0, 7), event.subarray(7)]);\n"
                          "};\n")
                .status == 200);
    StartOptions options;
    options.content_type = "application/octet-stream";
    CHECK(bed.run("a", std::string("\x00\xff\x01", 3), options).result->bytes ==
          std::string("\x01\xff\x00", 3));
    const auto streamed = bed.run("b", "from a stream", options);
    CHECK(streamed.result->bytes == "from a stream");
    CHECK(streamed.result->content_type == "application/octet-stream");
    const std::string large(2u << 20, 'z');
    CHECK(bed.run("c", large, options).result->size == large.size());
}

TEST_CASE("a stream that breaks fails the run, and the instance goes on") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("exports.main = async function* (event) {\n"
                          "  yield Buffer.alloc(100000);\n"
                          "  if (event.bad) throw new RangeError('half way');\n"
                          "};\n")
                .status == 200);
    const auto end = bed.run("a", "{\"bad\": true}");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.error_type == "RangeError");
    CHECK(end.message == "half way");
    CHECK(bed.run("b", "{}").result->size == 100'000);
}

TEST_CASE("an error in a Node handler is a failure with type, message and trace") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("class OutOfStock extends Error {}\n"
                          "exports.main = async (event) => {\n"
                          "  if (event === 1) throw new OutOfStock('no such thing');\n"
                          "  if (event === 2) throw 'just a text';\n"
                          "  return event.missing.member;\n"
                          "};\n")
                .status == 200);
    const auto end = bed.run("a", "1");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.reason == FailureReason::error);
    CHECK(end.error_type == "OutOfStock");
    CHECK(end.message == "no such thing");
    CHECK(contains(bed.log("a"), "app.js:3"));
    CHECK_FALSE(contains(bed.log("a"), "longhaul_runner"));
    CHECK(bed.run("b", "2").message == "just a text");
    CHECK(bed.run("c", "{}").error_type == "TypeError");
}

TEST_CASE("a Node handler with a callback answers through it") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("exports.main = (event, context, callback) => {\n"
                          "  setImmediate(() => callback(event ? null : new Error('no'), event));\n"
                          "};\n")
                .status == 200);
    CHECK(bed.run("a", "7").result->bytes == "7");
    CHECK(bed.run("b", "0").message == "no");
}

TEST_CASE("what no Node handler catches fails its run and ends the instance") {
    if (no_node()) return;
    const std::string source =
        GENERATE(as<std::string>{},
                 "exports.main = () => new Promise(() => {\n"
                 "  Promise.reject(new TypeError('nobody cares'));\n"
                 "});\n",
                 "exports.main = () => new Promise(() => {\n"
                 "  setTimeout(() => { throw new TypeError('nobody cares'); }"
                 ", 5);\n"
                 "});\n");
    AgentBed bed;
    REQUIRE(bed.load_node(source).status == 200);
    const auto end = bed.run("a");
    CHECK(end.outcome == AttemptOutcome::failed);
    CHECK(end.error_type == "TypeError");
    CHECK(end.message == "nobody cares");
    CHECK(bed.last->state == "broken");
    CHECK(contains(bed.log("a"), "nobody cares"));
    bed.wait_until([&] { return bed.descendants().empty(); }, "the runtime's end");
}

TEST_CASE("a Node handler that exits fails its run and breaks the instance") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("exports.main = () => process.exit(5);\n").status == 200);
    const auto end = bed.run("a");
    CHECK(end.reason == FailureReason::exit);
    CHECK(end.exit_code == 5);
    bed.wait_state("broken");
}

TEST_CASE("Node code that cannot be loaded fails the load, with its trace in the run's log") {
    if (no_node()) return;
    const auto [source, part] = GENERATE(table<std::string, std::string>({
        {"require('no-such-module');\n", "Cannot find module 'no-such-module'"},
        {"exports.other = 1;\n", "app.js exports no function 'main'"},
        {"exports.main = {;\n", "SyntaxError"},
    }));
    AgentBed bed;
    REQUIRE(bed.assign("a").status == 200);
    const auto loaded = bed.load_node(source);
    CHECK(loaded.status == 422);
    CHECK(loaded.problem_type() == "load-failed");
    INFO(loaded.body);
    CHECK(loaded.body.find(part) != std::string::npos);
    CHECK_FALSE(bed.log("a").empty());
    bed.wait_state("broken");
}

TEST_CASE("Node code that exits while it is loaded fails the load") {
    if (no_node()) return;
    AgentBed bed;
    const auto loaded = bed.load_node("process.exit(3);\n");
    CHECK(loaded.status == 422);
    CHECK(loaded.body.find("exit code 3") != std::string::npos);
    bed.wait_state("broken");
}

TEST_CASE("a Node handler reports progress") {
    if (no_node()) return;
    AgentBed bed;
    REQUIRE(bed.load_node("exports.main = async (event, context) => {\n"
                          "  await context.progress(25, 'a quarter');\n"
                          "};\n")
                .status == 200);
    const auto end = bed.run("a");
    REQUIRE(end.progress);
    CHECK(end.progress->percent == 25);
    CHECK(end.progress->message == "a quarter");
    REQUIRE(end.result);
    CHECK(end.result->bytes == "null");
}

TEST_CASE("what a Node handler tells and does not wait for counts too") {
    if (no_node()) return;
    AgentBed bed;
    const std::string source =
        "exports.main = (event, context) => {\n"
        "  for (let i = 1; i <= 20; ++i) context.progress(i, '');\n"
        "  context.progress(100, 'all');\n"
        "};\n";
    REQUIRE(bed.load_node(source).status == 200);
    const auto end = bed.run("a", "{}");
    REQUIRE(end.progress);
    CHECK(end.progress->percent == 100);
}

TEST_CASE("a standby Node runtime waits for its load, and is none for Python") {
    if (no_node()) return;
    AgentBed bed({"--prestart", "node"});
    bed.wait_until([&] { return bed.descendants().size() == 1; }, "the runtime");
    REQUIRE(bed.load_node("exports.main = () => 1;\n").status == 200);
    CHECK(bed.run("a").result->bytes == "1");
    AgentBed other({"--prestart", "node"});
    CHECK(other.load_python("def main(event, context):\n    return 1\n").status == 409);
}

TEST_CASE("a host without the runtime says so when it is to load") {
    AgentBed bed({"--path", "/no/such/folder"});
    const auto loaded = bed.load_node("exports.main = () => 1;\n");
    CHECK(loaded.status == 422);
    INFO(loaded.body);
    CHECK(loaded.body.find("cannot execute 'node'") != std::string::npos);
    CHECK(loaded.body.find("runtime \\\"node\\\" needs it on the host") != std::string::npos);
}

}  // namespace longhaul::test
