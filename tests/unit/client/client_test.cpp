#include "longhaul/client/client.hpp"

#include "longhaul/net/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/client/fake_peer.hpp"

#include <boost/asio/io_context.hpp>

using namespace longhaul;
using namespace longhaul::client;
using longhaul::tests::FakeAnswer;
using longhaul::tests::FakePeer;

namespace {

template <class T>
boost::asio::awaitable<void> store(boost::asio::awaitable<Result<T>> operation,
                                   std::optional<Result<T>>& out) {
    out.emplace(co_await std::move(operation));
}

struct Fixture {
    boost::asio::io_context context;
    FakePeer peer;
    Client client{peer, options()};

    static ClientOptions options() {
        ClientOptions options;
        options.server = "http://here:1";
        options.tenant = "red";
        return options;
    }

    template <class T>
    Result<T> run(boost::asio::awaitable<Result<T>> operation) {
        std::optional<Result<T>> result;
        net::TaskGroup tasks(context.get_executor(), Logger());
        tasks.start("test", store(std::move(operation), result));
        context.restart();
        context.run();
        REQUIRE(result.has_value());
        return std::move(*result);
    }

    void answer(int status, std::string body) {
        FakeAnswer fake;
        fake.status = status;
        fake.pieces = {std::move(body)};
        peer.answers.push_back(std::move(fake));
    }
    void fail(Errc code) {
        FakeAnswer fake;
        fake.error = make_error(code, "no");
        peer.answers.push_back(std::move(fake));
    }
    void stream(std::vector<std::string> pieces, bool broken) {
        FakeAnswer fake;
        fake.pieces = std::move(pieces);
        fake.broken = broken;
        peer.answers.push_back(std::move(fake));
    }
};

SubmitRequest submit_of(std::string function) {
    SubmitRequest request;
    request.function.text = std::move(function);
    request.body = "hello";
    return request;
}

constexpr const char* kQueued = R"({"id":"i1","function":"f","state":"queued","revision":1})";
constexpr const char* kRunning = R"({"id":"i1","function":"f","state":"running","revision":2})";
constexpr const char* kDone = R"({"id":"i1","function":"f","state":"succeeded","revision":3})";

}  // namespace

TEST_CASE("a submit carries body, options and a key of its own") {
    Fixture f;
    f.answer(202, kQueued);
    auto request = submit_of("f");
    request.timeout = "90s";
    request.labels = {{"team", "a"}};
    auto submitted = f.run(f.client.submit(std::move(request)));
    REQUIRE(submitted);
    CHECK(submitted->status.id.text == "i1");
    const auto& asked = f.peer.asked.at(0);
    CHECK(asked.line == "POST /v1/functions/f/invocations");
    CHECK(asked.address == "here:1");
    CHECK(asked.body == "hello");
    CHECK(asked.header("Invocation-Timeout") == "90s");
    CHECK(asked.header("Invocation-Label") == "team=a");
    CHECK(asked.header("Invocation-Tenant") == "red");
    CHECK(asked.header("Idempotency-Key").size() == 34);
}

TEST_CASE("a submit whose answer was lost is asked again under the same key") {
    Fixture f;
    f.fail(Errc::timed_out);
    f.answer(202, kQueued);
    REQUIRE(f.run(f.client.submit(submit_of("f"))));
    REQUIRE(f.peer.asked.size() == 2);
    CHECK(f.peer.asked[0].header("Idempotency-Key") == f.peer.asked[1].header("Idempotency-Key"));
    CHECK(f.peer.asked[1].body == "hello");
}

TEST_CASE("a chosen id is put") {
    Fixture f;
    f.answer(200, kQueued);
    auto request = submit_of("f");
    request.id = InvocationId{"mine"};
    auto submitted = f.run(f.client.submit(std::move(request)));
    REQUIRE(submitted);
    CHECK(submitted->replayed);
    CHECK(f.peer.asked.at(0).line == "PUT /v1/functions/f/invocations/mine");
    CHECK(f.peer.asked.at(0).header("Idempotency-Key").empty());
}

TEST_CASE("nobody at the address: the error says what to check") {
    Fixture f;
    f.fail(Errc::unreachable);
    auto status = f.run(f.client.get(InvocationId{"i1"}));
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Errc::unreachable);
    CHECK(status.error().message.find("http://here:1") != std::string::npos);
    CHECK(status.error().message.find("longhaul dev") != std::string::npos);
}

TEST_CASE("an error names the address and who gave it") {
    ClientOptions options = Fixture::options();
    options.server_named_by = "from LONGHAUL_SERVER";
    FakePeer peer;
    FakeAnswer fake;
    fake.error = make_error(Errc::timed_out, "none within 15s");
    peer.answers.push_back(std::move(fake));
    Client client(peer, options);
    Fixture f;
    auto status = f.run(client.get(InvocationId{"i1"}));
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Errc::timed_out);
    CHECK(status.error().message ==
          "no answer from longhaul at http://here:1 (from LONGHAUL_SERVER): none within 15s");
}

TEST_CASE("what is no longhaul is told apart from one that refuses") {
    Fixture f;
    f.answer(404, "<html>nothing here</html>");
    f.answer(200, "<html>welcome</html>");
    f.answer(404, R"({"type":"https://longhaul.dev/problems/unknown-route","status":404,
                      "detail":"there is nothing at /v1/invocations"})");
    FakeAnswer garbage;
    garbage.error = make_error(Errc::unavailable, "a malformed answer", "malformed-answer");
    f.peer.answers.push_back(std::move(garbage));
    for (int n = 0; n < 4; ++n) {
        auto status = f.run(f.client.get(InvocationId{"i1"}));
        REQUIRE_FALSE(status);
        INFO(status.error().message);
        CHECK(status.error().code == Errc::unreachable);
        CHECK(status.error().type == "not-longhaul");
        CHECK(status.error().message.find("http://here:1") != std::string::npos);
    }
    // A proxy says so while its longhaul is away: that may pass.
    f.answer(502, "<html>bad gateway</html>");
    CHECK(f.run(f.client.get(InvocationId{"i1"})).error().code == Errc::unavailable);
}

TEST_CASE("a server that has answered is waited for, a stranger is not") {
    Fixture f;
    const auto always = [](const InvocationStatus&) { return true; };
    f.fail(Errc::unreachable);
    CHECK_FALSE(f.run(f.client.wait(InvocationId{"i1"}, std::chrono::seconds(1), always)));
    f.answer(202, kQueued);
    REQUIRE(f.run(f.client.submit(submit_of("f"))));
    f.fail(Errc::unreachable);
    f.answer(200, kDone);
    auto ended = f.run(f.client.wait(InvocationId{"i1"}, std::chrono::seconds(1), always));
    REQUIRE(ended);
    CHECK(ended->state == State::succeeded);
}

TEST_CASE("a result that cannot be had for a moment is had later, one that broke off is not") {
    Fixture f;
    f.answer(202, kQueued);
    REQUIRE(f.run(f.client.submit(submit_of("f"))));
    std::string bytes;
    const ByteSink sink = [&](std::string_view piece) {
        bytes += piece;
        return Result<void>();
    };
    f.fail(Errc::unreachable);
    f.stream({"ab"}, false);
    REQUIRE(f.run(f.client.result(InvocationId{"i1"}, sink)));
    CHECK(bytes == "ab");
    f.stream({"cd"}, true);
    CHECK_FALSE(f.run(f.client.result(InvocationId{"i1"}, sink)));
    CHECK(bytes == "abcd");
}

TEST_CASE("a drain is asked for in the caller's words and told as it stands") {
    Fixture f;
    f.answer(200, R"({"host":"h1","draining":true,"drained":false,
                      "drain_by":"2026-11-23T12:00:00.000Z","reason":"disk","blocking":[
                      {"invocation":"i1","attempt":2,"function":"f","state":"running",
                       "since":"2026-11-23T11:00:00.000Z","until":null}]})");
    DrainRequest request;
    request.host = HostId{"h1"};
    request.by = "10m";
    request.reason = "disk";
    auto drain = f.run(f.client.drain(std::move(request)));
    REQUIRE(drain);
    CHECK(f.peer.asked.at(0).line == "POST /v1/hosts/h1/drain");
    CHECK(f.peer.asked.at(0).body == R"({"drain":true,"drain_by":"10m","reason":"disk"})");
    CHECK(drain->draining);
    CHECK_FALSE(drain->drained);
    CHECK(drain->drain_by.has_value());
    REQUIRE(drain->blocking.size() == 1);
    CHECK(drain->blocking[0].attempt == 2);
    CHECK(drain->blocking[0].since.has_value());
    CHECK_FALSE(drain->blocking[0].until.has_value());
}

TEST_CASE("instances are told with what keeps them busy, and hosts that did not answer") {
    Fixture f;
    f.answer(200, R"({"instances":[
        {"instance":"x","host":"h","state":"taken","function":"f","tenant":"t","version":"v",
         "busy_with":{"invocation":"i1","attempt":3},"memory_mb":64,"idle_since":null},
        {"instance":"y","host":"h","state":"starting","function":null,"busy_with":null}],
        "unreachable":["gone"]})");
    auto list = f.run(f.client.list_instances());
    REQUIRE(list);
    REQUIRE(list->instances.size() == 2);
    CHECK(list->instances[0].invocation == "i1");
    CHECK(list->instances[0].attempt == 3);
    CHECK(list->instances[0].memory_mb == 64);
    CHECK(list->instances[1].function.empty());
    CHECK(list->instances[1].invocation.empty());
    CHECK(list->unreachable == std::vector<std::string>{"gone"});
}

TEST_CASE("a problem document is the error, with its type") {
    Fixture f;
    f.answer(404, R"({"type":"https://longhaul.dev/problems/unknown-function","title":"t",
                      "status":404,"detail":"no function 'f'"})");
    auto submitted = f.run(f.client.submit(submit_of("f")));
    REQUIRE_FALSE(submitted);
    CHECK(submitted.error().code == Errc::not_found);
    CHECK(submitted.error().type == "unknown-function");
    CHECK(submitted.error().message == "no function 'f'");
}

TEST_CASE("a wait sees every change and lives through a restart of the gateway") {
    Fixture f;
    f.answer(200, kQueued);
    f.fail(Errc::unreachable);
    f.answer(200, kRunning);
    f.answer(200, kDone);
    std::vector<State> seen;
    auto ended = f.run(f.client.wait(InvocationId{"i1"}, std::chrono::seconds(1),
                                     [&](const InvocationStatus& status) {
                                         seen.push_back(status.state);
                                         return true;
                                     }));
    REQUIRE(ended);
    CHECK(seen == std::vector{State::queued, State::running, State::succeeded});
    CHECK(f.peer.asked.at(1).line == "GET /v1/invocations/i1?wait=1000ms&revision=1.0");
}

TEST_CASE("a followed log that is cut off goes on after the last line, and ends with the run") {
    Fixture f;
    f.stream({"{\"offset\":\"1:5\",\"stream\":\"stdout\",\"text\":\"one\"}\n{\"off"}, true);
    f.stream({"{\"offset\":\"1:9\",\"text\":\"t", "wo\"}\n"}, false);
    f.answer(200, kDone);
    f.stream({"{\"offset\":\"1:12\",\"text\":\"three\"}\n"}, false);
    LogRequest request;
    request.id = InvocationId{"i1"};
    request.follow = true;
    std::string text;
    auto done = f.run(f.client.logs(std::move(request), [&](const LogLine& line) {
        text += line.text + ";";
        return Result<void>();
    }));
    REQUIRE(done);
    CHECK(text == "one;two;three;");
    CHECK(f.peer.asked.at(0).line == "GET /v1/invocations/i1/logs?follow=true");
    CHECK(f.peer.asked.at(1).line == "GET /v1/invocations/i1/logs?follow=true&since=1%3A5");
    CHECK(f.peer.asked.at(3).line == "GET /v1/invocations/i1/logs?follow=false&since=1%3A9");
}

TEST_CASE("a result comes in pieces, or says that it is not there yet") {
    Fixture f;
    f.stream({"ab", "cd"}, false);
    f.answer(202, "{}");
    std::string bytes;
    const ByteSink sink = [&](std::string_view piece) {
        bytes += piece;
        return Result<void>();
    };
    auto info = f.run(f.client.result(InvocationId{"i1"}, sink));
    REQUIRE(info);
    CHECK(info->size == 4);
    CHECK(bytes == "abcd");
    CHECK(f.run(f.client.result(InvocationId{"i1"}, sink)).error().type == "still-live");
}
