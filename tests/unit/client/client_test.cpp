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
