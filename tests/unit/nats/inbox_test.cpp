#include "longhaul/nats/impl/inbox.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <string>
#include <thread>
#include <vector>

namespace longhaul::nats {
namespace {

struct Received {
    boost::asio::io_context context;
    std::vector<std::string> heard;
    std::uint64_t dropped = 0;

    std::shared_ptr<Inbox> inbox(InboxLimits limits) {
        return std::make_shared<Inbox>(context.get_executor(), limits,
                                       [this](const Incoming& message, std::uint64_t count) {
                                           heard.push_back(message.payload);
                                           dropped += count;
                                       });
    }
};

}  // namespace

TEST_CASE("an inbox is bounded in messages and in bytes, and tells what it dropped") {
    Received received;
    const auto inbox = received.inbox({.messages_max = 3, .bytes_max = 10});
    inbox->push(Incoming{"a", "1234"});
    inbox->push(Incoming{"a", "12345"});  // bytes
    inbox->push(Incoming{"a", "2"});
    inbox->push(Incoming{"a", "3"});
    inbox->push(Incoming{"a", ""});  // messages
    CHECK(inbox->dropped() == 2);
    received.context.run();
    CHECK(received.heard == std::vector<std::string>{"1234", "2", "3"});
    CHECK(received.dropped == 2);
}

TEST_CASE("a closed inbox delivers nothing and takes nothing") {
    Received received;
    const auto inbox = received.inbox({});
    inbox->push(Incoming{"a", "1"});
    inbox->close();
    inbox->push(Incoming{"a", "2"});
    received.context.run();
    CHECK(received.heard.empty());
}

TEST_CASE("several threads may push while the executor delivers and closes") {
    Received received;
    const auto inbox = received.inbox({});
    constexpr int kEach = 5'000;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([inbox] {
            for (int sent = 0; sent < kEach; ++sent) inbox->push(Incoming{"a", "x"});
        });
    while (received.heard.size() < kEach) {
        received.context.restart();
        received.context.poll();
    }
    inbox->close();
    const std::size_t heard = received.heard.size();
    for (std::thread& thread : threads) thread.join();
    received.context.restart();
    received.context.poll();
    CHECK(received.heard.size() == heard);
}

}  // namespace longhaul::nats
