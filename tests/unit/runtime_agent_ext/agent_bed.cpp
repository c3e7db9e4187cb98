#include "tests/unit/runtime_agent_ext/agent_bed.hpp"

#include "longhaul/net/notifier.hpp"
#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/reaper.hpp"
#include "longhaul/process/spawn.hpp"
#include "longhaul/process/tree.hpp"
#include "longhaul/wire/log_line.hpp"
#include "longhaul/wire/problem_json.hpp"
#include "longhaul/wire/run_headers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace longhaul::test {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr Duration kLimit = std::chrono::seconds(30);
constexpr const char* kSecret = "instance-secret";

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Each awaitable<bool> is named before it is awaited or run: g++ 12.
void run_now(asio::io_context& io, asio::awaitable<bool> task) {
    (void)run_task(io, std::move(task));
}

}  // namespace

struct AgentBed::Parts {
    explicit Parts(const asio::any_io_executor& executor) : changed(executor), reaper(executor) {}
    net::Notifier changed;
    process::Reaper reaper;
};

std::string HttpAnswer::problem_type() const { return wire::error_from_problem(status, body).type; }

wire::StatusEntry HttpAnswer::entry() const {
    return wire::decode<wire::StatusEntry>(body).value();
}

std::string agent_program() {
    if (const char* path = std::getenv("LONGHAUL_RUNTIME_AGENT")) return path;
    const fs::path self = fs::read_symlink("/proc/self/exe");
    return (self.parent_path() / "../../../bin/runtime_agent_ext").lexically_normal().string();
}

bool no_node() {
    for (const char* folder : {"/usr/local/bin", "/usr/bin", "/bin"})
        if (::access((std::string(folder) + "/node").c_str(), X_OK) == 0) return false;
    WARN("node is not installed: this was not tested");
    return true;
}

AgentBed::AgentBed(std::vector<std::string> more_flags)
    : instance_(fs::path(folder.path()).filename()),
      peer_(io.get_executor(), {}),
      parts_(std::make_unique<Parts>(io.get_executor())) {
    function.name = FunctionName{"f"};
    function.version = Digest{"sha256:" + std::string(64, 'a')};
    for (const char* name : {"i", "logs", "store", "code"}) fs::create_directory(folder / name);
    // Functions under users of their own pass through.
    fs::permissions(folder.path(), fs::perms(0711));
    code_dir = folder / "code";
    start_host();
    spawn_agent(more_flags);
    wait_until([this] { return last.has_value(); }, "the first report");
}

AgentBed::~AgentBed() {
    kill_agent();
    stop_host();
    // As the host agent does: what a function let loose outlives its runtime agent.
    const auto cgroup = process::Cgroup::find(instance_);
    CHECK(process::kill_orphans(cgroup, 0, kLimit));
    cgroup.remove();
}

void AgentBed::spawn_agent(const std::vector<std::string>& more_flags) {
    int secret[2];
    REQUIRE(::pipe2(secret, O_CLOEXEC) == 0);
    REQUIRE(::write(secret[1], kSecret, std::strlen(kSecret)) > 0);
    ::close(secret[1]);
    process::SpawnRequest request;
    request.trampoline = agent_program();
    request.argv = {agent_program(),
                    "--instance",
                    instance_,
                    "--dir",
                    folder / "i",
                    "--host-socket",
                    folder / "host",
                    "--control-socket",
                    folder / "c.sock",
                    "--log-dir",
                    folder / "logs",
                    "--store-dir",
                    folder / "store",
                    "--secret-fd",
                    "3",
                    "--log-level",
                    "debug"};
    request.argv.insert(request.argv.end(), more_flags.begin(), more_flags.end());
    request.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    if (const char* options = std::getenv("ASAN_OPTIONS"))
        request.env.push_back(std::string("ASAN_OPTIONS=") + options);
    request.stderr_fd = 2;
    request.inherit = {{secret[0], 3}};
    request.new_session = true;
    auto spawned = process::spawn(request);
    ::close(secret[0]);
    REQUIRE(spawned);
    agent_pid = spawned->pid;
    pidfd_ = std::move(spawned->pidfd);
}

HttpAnswer AgentBed::load_exec(std::vector<std::string> command) {
    function.mode = FunctionMode::exec;
    function.command = std::move(command);
    return load();
}

HttpAnswer AgentBed::load_python(const std::string& source, const std::string& handler) {
    function.mode = FunctionMode::handler;
    function.runtime = "python";
    function.handler = handler;
    std::ofstream(code_dir + "/app.py") << source;
    return load();
}

HttpAnswer AgentBed::load_node(const std::string& source, const std::string& file) {
    function.mode = FunctionMode::handler;
    function.runtime = "node";
    function.handler = "app.main";
    std::ofstream(code_dir + "/" + file) << source;
    return load();
}

HttpAnswer AgentBed::load_server(const std::string& source) {
    function.mode = FunctionMode::http;
    function.command = {"python3", "server.py"};
    std::ofstream(code_dir + "/server.py") << source;
    return load();
}

HttpAnswer AgentBed::load() {
    wire::LoadRequest request;
    request.tenant = TenantName{"acme"};
    request.function = function;
    request.code_dir = code_dir;
    request.load_ms = load_ms;
    return control("POST", "/v1/load", wire::to_json(request).dump());
}

HttpAnswer AgentBed::assign(const std::string& id, AttemptNumber attempt) {
    wire::AssignRequest request{{InvocationId{id}, attempt}, Token{"t1"}, "run-token-" + id};
    auto answer = control("POST", "/v1/assign", wire::to_json(request).dump());
    if (answer.status == 200) run_token_ = request.run_token;
    return answer;
}

HttpAnswer AgentBed::start(const std::string& id, const std::string& body,
                           const StartOptions& options) {
    namespace headers = wire::run_headers;
    port::PeerRequest request{"POST", "/v1/invocations"};
    const auto add = [&request](std::string_view name, std::string value) {
        if (!value.empty()) request.headers.emplace_back(std::string(name), std::move(value));
    };
    add("Authorization", "Bearer " + (options.run_token.empty() ? run_token_ : options.run_token));
    add(headers::kInvocation, id);
    add(headers::kAttempt, "1");
    add(headers::kToken, options.token);
    add(headers::kTimeoutMs, std::to_string(options.timeout_ms));
    add(headers::kGraceMs, std::to_string(options.grace_ms));
    add(headers::kContentType, options.content_type);
    add(headers::kBodySha256, options.sha256);
    add(headers::kTraceparent, options.traceparent);
    add(headers::kHeaders, "{\"x-user\":\"me\"}");
    request.body = body;
    auto calling = call(last->data_address, std::move(request));
    return run_task(io, std::move(calling));
}

wire::StatusEntry AgentBed::run(const std::string& id, const std::string& body,
                                const StartOptions& options) {
    const auto assigned = assign(id);
    INFO(assigned.body);
    REQUIRE(assigned.status == 200);
    const auto started = start(id, body, options);
    INFO(started.body);
    REQUIRE(started.status == 202);
    return wait_end(id);
}

wire::KillOutcome AgentBed::kill(const std::string& id, wire::KillMode mode,
                                 std::int64_t grace_ms) {
    wire::KillOrder order;
    order.key = {InvocationId{id}, 1};
    order.token = Token{"t1"};
    order.mode = mode;
    order.grace_ms = grace_ms;
    const std::vector<wire::KillOrder> orders{order};
    const auto answer = control("POST", "/v1/kill", wire::to_json(orders).dump());
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    return wire::decode<std::vector<wire::KillAnswer>>(answer.body).value().at(0).outcome;
}

HttpAnswer AgentBed::control(const std::string& method, const std::string& path,
                             const std::string& body) {
    port::PeerRequest request{method, path};
    request.headers.emplace_back("Authorization", std::string("Bearer ") + kSecret);
    request.body = body;
    auto calling = call("unix:" + (folder / "c.sock"), std::move(request));
    return run_task(io, std::move(calling));
}

wire::StatusEntry AgentBed::wait_end(const std::string& id) {
    wait_rank(id, wire::Rank::ended);
    for (const auto& entry : last->entries)
        if (entry.key.invocation.text == id) return entry;
    FAIL("no entry of " << id);
    return {};
}

void AgentBed::wait_rank(const std::string& id, wire::Rank rank) {
    wait_until(
        [&] {
            for (const auto& entry : last->entries)
                if (entry.key.invocation.text == id && entry.rank >= rank) return true;
            return false;
        },
        "rank " + std::string(to_string(rank)) + " of " + id);
}

void AgentBed::wait_state(const std::string& state) {
    wait_until([&] { return last->state == state; }, "state " + state);
}

void AgentBed::wait_log(const std::string& id, const std::string& text) {
    const TimePoint until = clock.now() + kLimit;
    while (log_file(id).find(text) == std::string::npos) {
        REQUIRE(clock.now() < until);
        io.restart();
        io.run_for(std::chrono::milliseconds(2));
    }
}

void AgentBed::wait_until(const std::function<bool()>& done, const std::string& what) {
    INFO("waiting for " << what);
    auto waiting = wait_loop(done);
    REQUIRE(run_task(io, std::move(waiting)));
}

asio::awaitable<bool> AgentBed::wait_loop(std::function<bool()> done) {
    const TimePoint until = clock.now() + kLimit;
    while (!done()) {
        if (clock.now() >= until) co_return false;
        // What no report tells, a process that ends, is looked at again and again.
        const TimePoint again = clock.now() + std::chrono::milliseconds(5);
        (void)co_await parts_->changed.wait_until(clock, again);
    }
    co_return true;
}

std::vector<std::string> AgentBed::log(const std::string& id) const {
    std::vector<std::string> texts;
    std::istringstream lines(log_file(id));
    for (std::string line; std::getline(lines, line);) {
        const auto decoded = wire::decode_log_line(line);
        REQUIRE(decoded);
        texts.emplace_back(decoded->text);
    }
    return texts;
}

std::string AgentBed::log_file(const std::string& id) const {
    return read_file(folder.path() + "/logs/" + wire::log_file_name({InvocationId{id}, 1}));
}

std::vector<process::ProcessId> AgentBed::descendants() const {
    return process::descendants_of(agent_pid);
}

std::string AgentBed::store_file(const std::string& name) const {
    return read_file(folder.path() + "/store/" + name);
}

void AgentBed::stop_host() {
    if (!host_) return;
    auto stopping = stop_server();
    run_now(io, std::move(stopping));
    host_.reset();
}

asio::awaitable<bool> AgentBed::stop_server() {
    co_await host_->stop(Duration::zero());
    co_return true;
}

void AgentBed::start_host() {
    net::Route route;
    route.method = "POST";
    route.pattern = "/v1/instances/{id}/status";
    route.handler = [this](net::Request& request) { return on_status(request); };
    route.body_max = 1u << 20;
    net::ServerOptions options;
    options.address = "unix:" + (folder / "host");
    options.name = "host";
    host_ = std::make_unique<net::Server>(io.get_executor(), clock, Logger(), options,
                                          std::vector<net::Route>{route});
    REQUIRE(host_->start());
}

void AgentBed::kill_agent() {
    if (!pidfd_ || !agent_alive()) return;
    (void)process::send_signal(pidfd_, SIGKILL);
    auto gone = process::wait_gone(pidfd_, clock, kLimit);
    REQUIRE(run_task(io, std::move(gone)));
}

asio::awaitable<net::Response> AgentBed::on_status(net::Request& request) {
    auto text = co_await port::read_all(*request.body, 1u << 20);
    if (!text) co_return net::problem_response(text.error());
    auto status = wire::decode<wire::InstanceStatus>(*text);
    if (!status) co_return net::problem_response(status.error());
    wire::InstanceStatusAnswer answer;
    for (const auto& entry : status->entries)
        if (entry.rank == wire::Rank::ended && keep_ends) answer.kept.push_back(entry.key);
    // Kept ends leave the agent's reports; here the last state of each stays to be looked at.
    wire::InstanceStatus merged = std::move(*status);
    if (last)
        for (auto& old : last->entries) {
            bool known = false;
            for (const auto& entry : merged.entries) known = known || entry.key == old.key;
            if (!known) merged.entries.push_back(std::move(old));
        }
    last = std::move(merged);
    ++reports;
    parts_->changed.notify_all();
    co_return net::json_response(200, wire::to_json(answer));
}

asio::awaitable<HttpAnswer> AgentBed::call(std::string address, port::PeerRequest request) {
    HttpAnswer answer;
    auto response = co_await peer_.call(std::move(address), std::move(request), kLimit);
    if (!response) {
        answer.body = response.error().message;
        co_return answer;
    }
    answer.status = response->status;
    auto body = co_await port::read_all(*response->body, 8u << 20);
    answer.body = body ? *body : body.error().message;
    co_return answer;
}

}  // namespace longhaul::test
