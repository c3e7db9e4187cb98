// Runtime "custom": a client of the AWS Lambda Runtime API, here one of Python's standard library,
// is served as AWS serves it.
#include "tests/support/catch.hpp"
#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include <algorithm>
#include <fstream>

namespace longhaul::test {
namespace {

// One connection, one call after the other; `each(id, event, headers)` answers.
std::string client(const std::string& each, const std::string& before = "") {
    return "import base64, http.client, json, os, sys\n"
           "api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
           "base = '/2018-06-01/runtime/'\n"
           "def call(method, path, body=None, headers={}):\n"
           "    api.request(method, base + path, body, headers)\n"
           "    answer = api.getresponse()\n"
           "    return answer.status, answer.read(), answer.headers\n" +
           before + each +
           "while True:\n"
           "    status, event, headers = call('GET', 'invocation/next')\n"
           "    assert status == 200, status\n"
           "    each(headers['Lambda-Runtime-Aws-Request-Id'], event, headers)\n";
}

void prepare(AgentBed& bed, const std::string& source) {
    bed.function.mode = FunctionMode::handler;
    bed.function.runtime = "custom";
    bed.function.command = {"python3", "client.py", "app.handler"};
    bed.function.handler = "app.handler";
    bed.function.memory_mb = 320;
    std::ofstream(bed.code_dir + "/client.py") << source;
}

const char* const kAnswer =
    "def each(id, event, headers):\n"
    "    status, body, _ = call('POST', 'invocation/' + id + '/response', event)\n"
    "    assert (status, json.loads(body)) == (202, {'status': 'OK'}), (status, body)\n";

}  // namespace

TEST_CASE("a runtime client that knows no load is served run after run") {
    AgentBed bed;
    prepare(bed,
            client("def each(id, event, headers):\n"
                   "    if event == b'bad':\n"
                   "        error = {'errorType': 'Oops', 'errorMessage': 'm', 'stackTrace': []}\n"
                   "        status, _, _ = call('POST', 'invocation/' + id + '/error',\n"
                   "                            json.dumps(error))\n"
                   "    else:\n"
                   "        value = os.environ['_HANDLER'].encode() + b' ' + event\n"
                   "        status, _, _ = call('POST', 'invocation/' + id + '/response', value)\n"
                   "    assert status == 202, status\n"));
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a", "x").result->bytes == "app.handler x");
    const auto failed = bed.run("b", "bad");
    CHECK(failed.error_type == "Oops");
    CHECK(failed.message == "m");
    CHECK(bed.run("c", "y").outcome == AttemptOutcome::succeeded);
    bed.wait_state("loaded");
}

TEST_CASE("an invocation has the headers that runtime clients read") {
    AgentBed bed;
    prepare(bed, client("def each(id, event, headers):\n"
                        "    names = ('Content-Type', 'Lambda-Runtime-Invoked-Function-Arn',\n"
                        "             'Lambda-Runtime-Trace-Id')\n"
                        "    assert int(headers['Lambda-Runtime-Deadline-Ms']) > 1e12\n"
                        "    assert 'Lambda-Runtime-Client-Context' not in headers\n"
                        "    said = [headers[n] for n in names] + [event.decode()]\n"
                        "    call('POST', 'invocation/' + id + '/response', json.dumps(said))\n"));
    REQUIRE(bed.load().status == 200);
    StartOptions options;
    options.content_type = "";
    options.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    CHECK(bed.run("a", "", options).result->bytes ==
          "[\"application/json\", \"arn:longhaul:lambda:local:acme:function:f\", "
          "\"Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1\", "
          "\"{}\"]");
    options.content_type = "text/plain";
    options.traceparent = "nonsense";
    CHECK(bed.run("b", "x", options).result->bytes ==
          "[\"text/plain\", \"arn:longhaul:lambda:local:acme:function:f\", null, \"x\"]");
}

TEST_CASE("a runtime client finds its function in the environment") {
    AgentBed bed;
    bed.function.env = {{"MINE", "1"}};
    prepare(bed, client("def each(id, event, headers):\n"
                        "    names = ('_HANDLER', 'AWS_LAMBDA_FUNCTION_NAME', 'MINE',\n"
                        "             'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',\n"
                        "             'AWS_LAMBDA_INITIALIZATION_TYPE')\n"
                        "    assert os.environ['LAMBDA_TASK_ROOT'] == os.getcwd()\n"
                        "    assert os.environ['AWS_LAMBDA_FUNCTION_VERSION']\n"
                        "    assert 'LONGHAUL_RUNTIME_TOKEN' not in os.environ\n"
                        "    said = [os.environ[n] for n in names] + sys.argv[1:]\n"
                        "    call('POST', 'invocation/' + id + '/response', json.dumps(said))\n"));
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a").result->bytes ==
          R"(["app.handler", "f", "1", "320", "on-demand", "app.handler"])");
}

TEST_CASE("an answer to an invocation that is not on is refused as AWS refuses it") {
    AgentBed bed;
    prepare(bed, client("def each(id, event, headers):\n"
                        "    status, body, _ = call('POST', 'invocation/other/response', b'1')\n"
                        "    said = [status, json.loads(body)['errorType']]\n"
                        "    call('POST', 'invocation/' + id + '/response', json.dumps(said))\n"));
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a").result->bytes == "[400, \"InvalidRequestID\"]");
}

TEST_CASE("an error of the initialisation fails the load") {
    AgentBed bed;
    prepare(bed, client(kAnswer,
                        "error = {'errorType': 'Runtime.ImportModuleError',\n"
                        "         'errorMessage': 'no app', 'stackTrace': []}\n"
                        "status, _, _ = call('POST', 'init/error', json.dumps(error),\n"
                        "    {'Lambda-Runtime-Function-Error-Type': 'Runtime.Init'})\n"
                        "sys.exit(status != 202)\n"));
    const auto loaded = bed.load();
    CHECK(loaded.status == 422);
    INFO(loaded.body);
    CHECK(loaded.body.find("Runtime.ImportModuleError: no app") != std::string::npos);
    bed.wait_state("broken");
}

TEST_CASE("a command that ends before it asks for work fails the load with its last lines") {
    AgentBed bed;
    prepare(bed, "import sys\nsys.exit('no such client')\n");
    const auto loaded = bed.load();
    CHECK(loaded.status == 422);
    CHECK(loaded.body.find("exit code 1; it said last: no such client") != std::string::npos);
}

TEST_CASE("an error may have a cause of a MiB in its header") {
    AgentBed bed;
    prepare(bed, client("def each(id, event, headers):\n"
                        "    status, _, _ = call('POST', 'invocation/' + id + '/error',\n"
                        "        '{\"errorType\": \"Big\", \"errorMessage\": \"one\"}',\n"
                        "        {'lambda-runtime-function-xray-error-cause': 'x' * (1 << 20)})\n"
                        "    assert status == 202, status\n"));
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a").error_type == "Big");
    CHECK(bed.run("b").error_type == "Big");
}

TEST_CASE("a streamed response is the result, or what its trailers say went wrong") {
    AgentBed bed;
    prepare(
        bed,
        client("def each(id, event, headers):\n"
               "    bad = event == b'1'\n"
               "    error = base64.b64encode(b'{\"errorType\":\"Late\",\"errorMessage\":\"m\"}')\n"
               "    api.putrequest('POST', base + 'invocation/' + id + '/response')\n"
               "    api.putheader('Lambda-Runtime-Function-Response-Mode', 'streaming')\n"
               "    api.putheader('Transfer-Encoding', 'chunked')\n"
               "    api.putheader('Trailer', 'Lambda-Runtime-Function-Error-Type')\n"
               "    api.putheader('Content-Type', 'application/x-parts')\n"
               "    api.endheaders()\n"
               "    api.send(b'3\\r\\none\\r\\n')\n"
               "    api.send(b'4\\r\\n two\\r\\n0\\r\\n')\n"
               "    if bad:\n"
               "        api.send(b'Lambda-Runtime-Function-Error-Type: Late\\r\\n')\n"
               "        api.send(b'Lambda-Runtime-Function-Error-Body: ' + error + b'\\r\\n')\n"
               "    api.send(b'\\r\\n')\n"
               "    answer = api.getresponse()\n"
               "    answer.read()\n"
               "    assert answer.status == 202, answer.status\n"));
    REQUIRE(bed.load().status == 200);
    const auto whole = bed.run("a", "0");
    CHECK(whole.result->bytes == "one two");
    CHECK(whole.result->content_type == "application/x-parts");
    const auto broken = bed.run("b", "1");
    CHECK(broken.outcome == AttemptOutcome::failed);
    CHECK(broken.error_type == "Late");
    CHECK(broken.message == "m");
    CHECK_FALSE(broken.result);
    CHECK(bed.run("c", "0").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a process that a run starts while its client polls again is a stranger") {
    AgentBed bed;
    prepare(bed, client("import subprocess\n"
                        "def each(id, event, headers):\n"
                        "    if event == b'1': subprocess.Popen(['sleep', '300'])\n"
                        "    call('POST', 'invocation/' + id + '/response', b'null')\n"));
    REQUIRE(bed.load().status == 200);
    CHECK(bed.run("a", "0").outcome == AttemptOutcome::succeeded);
    CHECK(bed.run("b", "1").outcome == AttemptOutcome::succeeded);
    bed.wait_state("broken");
}

}  // namespace longhaul::test
