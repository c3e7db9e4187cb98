// bare202: our HTTP server with one route that reads the event and answers at once. What a submit
// costs above this is the gateway's own. Prints its address, and ends when stdin does.
#include "longhaul/net/server.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>

#include <unistd.h>

namespace {

using namespace longhaul;

boost::asio::awaitable<net::Response> answer(net::Request& request) {
    auto body = co_await port::read_all(*request.body, 64 * 1024);
    if (!body) co_return net::problem_response(body.error());
    net::Response response = net::text_response(202, "{\"state\": \"queued\"}\n");
    co_return response;
}

boost::asio::awaitable<void> until_stdin_ends(net::Server& server) {
    auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::posix::stream_descriptor input(executor, ::dup(STDIN_FILENO));
    char buffer[64];
    boost::system::error_code error;
    while (!error)
        co_await input.async_read_some(
            boost::asio::buffer(buffer),
            boost::asio::redirect_error(boost::asio::use_awaitable, error));
    co_await server.stop(std::chrono::seconds(1));
}

}  // namespace

int main() {
    boost::asio::io_context context(1);
    const system::SystemClock clock;
    net::ServerOptions options;
    options.address = "127.0.0.1:0";
    options.name = "bare";
    std::vector<net::Route> routes;
    routes.push_back({"POST", "/v1/functions/{fn}/invocations", &answer});
    net::Server server(context.get_executor(), clock, Logger(), std::move(options),
                       std::move(routes));
    if (auto started = server.start(); !started) {
        std::fprintf(stderr, "bare202: %s\n", started.error().message.c_str());
        return 1;
    }
    std::printf("%s\n", server.address().c_str());
    std::fflush(stdout);
    net::TaskGroup tasks(context.get_executor(), Logger());
    tasks.start("stop", until_stdin_ends(server));
    context.run();
    return 0;
}
