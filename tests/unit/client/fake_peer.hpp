// A Peer with memory: answers from a list, in order, and keeps what it was asked.
#pragma once

#include "longhaul/port/peer.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::tests {

// A body in given pieces; then its end, or `broken`.
class PiecesSource final : public port::ByteSource {
public:
    PiecesSource(std::vector<std::string> pieces, bool broken)
        : pieces_(pieces.begin(), pieces.end()), broken_(broken) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        if (pieces_.empty() && broken_) co_return make_error(Errc::unavailable, "cut off");
        if (pieces_.empty()) co_return std::string();
        std::string piece = std::move(pieces_.front());
        pieces_.pop_front();
        co_return piece;
    }

private:
    std::deque<std::string> pieces_;
    const bool broken_;
};

struct FakeAnswer {
    int status = 200;
    std::vector<std::string> pieces{};
    bool broken = false;           // the body ends in the middle
    std::optional<Error> error{};  // instead of an answer
    port::Headers headers{};
};

class FakePeer final : public port::Peer {
public:
    struct Asked {
        std::string line;  // "GET /v1/…"
        port::Headers headers;
        std::string body;
        std::string address;

        [[nodiscard]] std::string header(std::string_view name) const {
            for (const auto& [key, value] : headers)
                if (key == name) return value;
            return "";
        }
    };

    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration) override {
        asked.push_back({request.method + " " + request.target, request.headers, request.body,
                         std::move(address)});
        if (answers.empty()) co_return make_error(Errc::internal, "the test has no more answers");
        FakeAnswer answer = std::move(answers.front());
        answers.pop_front();
        if (answer.error) co_return *answer.error;
        port::PeerResponse response;
        response.status = answer.status;
        response.headers = std::move(answer.headers);
        response.body = std::make_unique<PiecesSource>(std::move(answer.pieces), answer.broken);
        co_return response;
    }

    std::deque<FakeAnswer> answers;
    std::vector<Asked> asked;
};

}  // namespace longhaul::tests
