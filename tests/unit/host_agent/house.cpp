#include "tests/unit/host_agent/house.hpp"

#include "longhaul/wire/run_headers.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/steady_timer.hpp>

#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Reply>> exchange(port::Peer& peer, std::string address,
                                        port::PeerRequest request) {
    auto response = co_await peer.call(std::move(address), std::move(request),
                                       std::chrono::seconds(30));
    if (!response) co_return response.error();
    auto body = co_await port::read_all(*response->body, 64u << 20);
    if (!body) co_return body.error();
    co_return Reply{response->status, std::move(*body), std::move(response->headers)};
}

asio::awaitable<int> stopping(App& app) {
    co_await app.stop();
    co_return 0;
}

asio::awaitable<int> stopping(status_service::App& app) {
    co_await app.stop();
    co_return 0;
}

}  // namespace

std::string runtime_agent_path() {
    const char* path = std::getenv("LONGHAUL_RUNTIME_AGENT");
    return path != nullptr ? path : "";
}

wire::Json Reply::json() const {
    auto parsed = wire::parse_json(body);
    REQUIRE(parsed);
    return *parsed;
}

std::string Reply::problem() const {
    const wire::Json document = json();
    const std::string* type = document["type"].as_string();
    return type == nullptr ? "" : type->substr(type->rfind('/') + 1);
}

status_service::Config House::status_config() {
    status_service::Config config;
    config.listen = "127.0.0.1:0";
    config.admin_listen = "127.0.0.1:0";
    config.secret = "cluster";
    return config;
}

House::House() {
    // Functions have a uid of their own where we are root, and pass through this folder.
    ::chmod(folder.path().c_str(), 0711);
    REQUIRE(test::run_task(io, status.start()));
    const auto listen = [this](std::string_view, std::string_view payload) {
        auto batch = wire::decode<wire::StatusBatch>(payload);
        REQUIRE(batch);
        batches.push_back(std::move(*batch));
    };
    auto subscribed = machine.bus.subscribe("longhaul.v1.status.*", listen);
    REQUIRE(subscribed);
    subscription_ = std::move(*subscribed);
    config.data_dir = folder / "host";
    config.listen = "127.0.0.1:0";
    config.admin_listen = "127.0.0.1:0";
    config.status_service = status.address();
    config.secret = "cluster";
    config.runtime_agent = runtime_agent_path();
    config.memory_mb = 4096;
    config.announce_interval = std::chrono::milliseconds(200);
    start_host();
}

House::~House() {
    // Nothing that a test started outlives it.
    if (app) {
        const wire::Json state = host("GET", "/v1/state").json();
        const auto* instances = state["instances"].as_array();
        for (const wire::Json& instance : *instances) {
            const std::int64_t* pid = instance["pid"].as_integer();
            if (pid != nullptr && *pid > 1) ::kill(static_cast<pid_t>(*pid), SIGKILL);
        }
        stop_host();
    }
    (void)test::run_task(io, stopping(status));
    subscription_.reset();
    io.restart();
    io.poll();
}

void House::start_host() {
    app = std::make_unique<App>(io.get_executor(),
                                Ports{clock, machine.random, machine.disk, machine.workers,
                                      machine.peer, machine.blobs}, config,
                                Logger::to_stderr(LogLevel::warning, LogFormat::text));
    auto started = test::run_task(io, app->start());
    if (!started) FAIL(started.error().message);
}

void House::stop_host() {
    (void)test::run_task(io, stopping(*app));
    app.reset();
}

Reply House::call(const std::string& address, const std::string& method,
                  const std::string& target, const std::string& body, port::Headers headers) {
    port::PeerRequest request{method, target, std::move(headers), body};
    auto reply = test::run_task(io, exchange(machine.peer, address, std::move(request)));
    if (!reply) FAIL(method + " " + target + ": " + reply.error().message);
    return std::move(*reply);
}

Reply House::host(const std::string& method, const std::string& target, const wire::Json& body) {
    return call(app->address(), method, target, body.is_null() ? "" : body.dump());
}

wire::TakeRequest House::shell(const std::string& id, const std::string& script,
                               AttemptNumber attempt) {
    wire::TakeRequest request;
    request.owner = {0, 1};
    request.key = {InvocationId{id}, attempt};
    request.token = Token{std::string(32, 'a')};
    request.tenant = TenantName{"default"};
    request.function.name = FunctionName{"shell"};
    request.function.version = Digest{"sha256:" + std::string(64, '1')};
    request.function.mode = FunctionMode::exec;
    request.function.command = {"sh", "-c", script};
    request.function.memory_mb = 256;
    request.ms_left = 30'000;
    return request;
}

wire::TakeAnswer House::run(const wire::TakeRequest& request, const std::string& body) {
    const Reply reply = host("POST", "/v1/instances:take", wire::to_json(request));
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    auto taken = wire::decode<wire::TakeAnswer>(reply.body);
    REQUIRE(taken);
    const Reply started = start(*taken, request, body);
    INFO(started.body);
    REQUIRE(started.status == 202);
    return *taken;
}

Reply House::start(const wire::TakeAnswer& taken, const wire::TakeRequest& request,
                   const std::string& body) {
    namespace names = wire::run_headers;
    port::Headers headers{{"Authorization", "Bearer " + taken.run_token},
                          {std::string(names::kInvocation), request.key.invocation.text},
                          {std::string(names::kAttempt), std::to_string(request.key.attempt)},
                          {std::string(names::kToken), request.token.text},
                          {std::string(names::kShard), std::to_string(request.owner.shard)},
                          {std::string(names::kOwnerTerm), std::to_string(request.owner.term)},
                          {std::string(names::kTimeoutMs), "60000"}};
    return call(taken.address, "POST", "/v1/invocations", body, std::move(headers));
}

wire::StatusEntry House::wait_for(const wire::AttemptKey& key, wire::Rank rank) {
    wire::StatusEntry found;
    const bool seen = until([&] {
        wire::StatusQuery query;
        query.keys = {key};
        const Reply reply = host("POST", "/v1/status:batch", wire::to_json(query));
        auto answer = wire::decode<wire::StatusAnswer>(reply.body);
        REQUIRE(answer);
        if (answer->entries.empty() || answer->entries[0].rank < rank) return false;
        found = answer->entries[0];
        return true;
    });
    REQUIRE(seen);
    return found;
}

std::vector<wire::KillAnswer> House::kill(const wire::KillOrder& order) {
    const Reply reply =
        host("POST", "/v1/kill:batch", wire::to_json(std::vector<wire::KillOrder>{order}));
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    auto answers = wire::decode<std::vector<wire::KillAnswer>>(reply.body);
    REQUIRE(answers);
    return *answers;
}

bool House::until(const std::function<bool()>& done) {
    const TimePoint limit = clock.now() + std::chrono::seconds(30);
    while (!done()) {
        if (clock.now() > limit) return false;
        asio::steady_timer pause(io, std::chrono::milliseconds(5));
        bool over = false;
        pause.async_wait([&over](const boost::system::error_code&) { over = true; });
        io.restart();
        while (!over) io.run_one();
    }
    return true;
}

wire::StatusAnswer House::snapshot() {
    wire::StatusQuery query;
    query.snapshot = true;
    auto answer = wire::decode<wire::StatusAnswer>(
        host("POST", "/v1/status:batch", wire::to_json(query)).body);
    REQUIRE(answer);
    return *answer;
}

}  // namespace longhaul::host_agent
