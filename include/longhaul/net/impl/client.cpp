#include "longhaul/net/client.hpp"

#include "longhaul/net/impl/client_pool.hpp"
#include "longhaul/net/impl/head_guard.hpp"
#include "longhaul/net/impl/head_parser.hpp"
#include "longhaul/net/impl/http_text.hpp"
#include "longhaul/net/impl/response_body.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <optional>

namespace longhaul::net {
namespace {

constexpr int kInterimMax = 8;  // 1xx answers before the real one

using port::PeerRequest;
using port::PeerResponse;

bool is_ours(std::string_view name) {
    return equal_ignoring_case(name, "host") || equal_ignoring_case(name, "content-length") ||
           equal_ignoring_case(name, "transfer-encoding") ||
           equal_ignoring_case(name, "connection");
}

bool is_safe_value(std::string_view value) {
    return std::ranges::none_of(
        value, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

bool is_safe_target(std::string_view target) {
    return target.starts_with('/') && std::ranges::all_of(target, [](unsigned char c) {
               return c > 0x20 && c < 0x7f && c != '#';
           });
}

Result<std::string> request_head(const std::string& address, const PeerRequest& request,
                                 const std::string& secret) {
    if (!is_token(request.method)) return make_error(Errc::invalid_argument, "a malformed method");
    if (!is_safe_target(request.target))
        return make_error(Errc::invalid_argument, "a malformed request target");
    std::string out;
    out.reserve(512);
    out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ");
    out.append(address.starts_with("unix:") ? "localhost" : address).append("\r\n");
    bool authorized = secret.empty();
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name) || !is_safe_value(value))
            return make_error(Errc::invalid_argument,
                              "the header \"" + name + "\" has a character that is not allowed");
        if (is_ours(name)) continue;
        authorized = authorized || equal_ignoring_case(name, "authorization");
        out.append(name).append(": ").append(value).append("\r\n");
    }
    if (!authorized) out.append("Authorization: Bearer ").append(secret).append("\r\n");
    const auto length = request.body.size() + (request.body_stream ? request.stream_bytes : 0);
    const bool has_body = length > 0 || request.method == "POST" || request.method == "PUT" ||
                          request.method == "PATCH";
    if (has_body) out.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
    out.append("\r\n");
    return out;
}

// One try on one connection.
struct Attempt {
    std::optional<PeerResponse> response{};
    Error error{};
    bool answer_begun = false;
};

class Exchange {
public:
    Exchange(std::shared_ptr<ClientPool> pool, PeerRequest& request, const std::string& head,
             Duration limit, TimePoint limit_at)
        : pool_(std::move(pool)),
          request_(request),
          head_(head),
          limit_(limit),
          limit_at_(limit_at) {}

    boost::asio::awaitable<Attempt> run(ClientConnectionPtr connection) {
        connection_ = std::move(connection);
        connection_->arm(limit_at_);
        Attempt attempt;
        const bool sent = co_await send(attempt.error);
        if (source_failed_) co_return attempt;
        // A server may answer and close before it has read all: look for that answer in any case.
        co_await receive(attempt, sent);
        connection_.reset();
        co_return attempt;
    }

private:
    boost::asio::awaitable<bool> send(Error& error) {
        Channel::Buffers buffers{boost::asio::buffer(head_), boost::asio::buffer(request_.body)};
        auto code = co_await connection_->channel.write(buffers);
        std::uint64_t left = request_.body_stream ? request_.stream_bytes : 0;
        while (!code && left > 0) {
            auto piece = co_await request_.body_stream->read();
            if (!piece || piece->empty() || piece->size() > left) {
                source_failed_ = true;
                error = piece ? make_error(Errc::invalid_argument,
                                           "the request body is not of the length announced")
                              : piece.error();
                co_return false;
            }
            left -= piece->size();
            buffers = {boost::asio::buffer(*piece)};
            code = co_await connection_->channel.write(buffers);
        }
        if (code) error = broken(code);
        co_return !code;
    }

    boost::asio::awaitable<void> receive(Attempt& attempt, bool sent) {
        auto& channel = connection_->channel;
        int interim = 0;
        std::size_t scanned = 0;
        while (true) {
            const auto size = find_head_end(channel.unread(), scanned);
            if (size > 0 && size <= pool_->options().header_bytes_max) {
                const bool more = take_head(attempt, size, sent);
                if (!more) co_return;
                scanned = 0;
                if (++interim > kInterimMax) {
                    attempt.error = malformed("too many interim answers");
                    co_return;
                }
                continue;
            }
            scanned = channel.unread().size();
            if (!std::string_view("HTTP/").starts_with(channel.unread().substr(0, 5))) {
                attempt.error = malformed("it does not begin with HTTP/");
                co_return;
            }
            if (scanned >= pool_->options().header_bytes_max) {
                attempt.error =
                    malformed("its header is larger than " +
                              std::to_string(pool_->options().header_bytes_max) + " bytes");
                co_return;
            }
            const auto code = co_await channel.fill(pool_->options().header_bytes_max);
            attempt.answer_begun = attempt.answer_begun || !channel.unread().empty();
            if (!code) continue;
            if (sent || attempt.answer_begun) attempt.error = broken(code);
            co_return;
        }
    }

    // False when the answer is there, or an error; true after a 1xx.
    bool take_head(Attempt& attempt, std::size_t size, bool sent) {
        auto& channel = connection_->channel;
        const auto block = channel.unread().substr(0, size);
        auto check = check_response_head(block, request_.method == "HEAD");
        ParsedHead parsed;
        std::string why =
            check.refusal ? check.refusal->error.message : parse_response_head(block, parsed);
        channel.consume(size);
        if (!why.empty()) {
            attempt.error = malformed(why);
            return false;
        }
        if (parsed.status < 200 && parsed.status != 101) return true;
        if (parsed.status == 101) {
            attempt.error = malformed("it switches protocols");
            return false;
        }
        check.facts.host = {};
        PeerResponse response;
        response.status = parsed.status;
        response.headers = std::move(parsed.headers);
        response.body = std::make_unique<ResponseBody>(pool_, std::move(connection_), check.facts,
                                                       sent, limit_);
        attempt.response = std::move(response);
        return false;
    }

    [[nodiscard]] Error malformed(const std::string& why) const {
        return make_error(Errc::unavailable,
                          "a malformed answer from " + connection_->address + ": " + why,
                          "malformed-answer");
    }

    [[nodiscard]] Error broken(const Channel::ErrorCode& code) const {
        if (connection_->channel.expired())
            return make_error(Errc::timed_out, "no answer from " + connection_->address +
                                                   " within " + format_duration(limit_));
        return make_error(Errc::unavailable, "the connection to " + connection_->address +
                                                 " broke: " + code.message());
    }

    std::shared_ptr<ClientPool> pool_;
    PeerRequest& request_;
    const std::string& head_;
    const Duration limit_;
    const TimePoint limit_at_;
    ClientConnectionPtr connection_{};
    bool source_failed_ = false;
};

}  // namespace

struct HttpPeer::Impl {
    Impl(boost::asio::any_io_executor executor, ClientOptions options)
        : pool(std::make_shared<ClientPool>(std::move(executor), std::move(options))) {}
    std::shared_ptr<ClientPool> pool;  // shared with response bodies
};

HttpPeer::HttpPeer(boost::asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

HttpPeer::~HttpPeer() { impl_->pool->close(); }

boost::asio::awaitable<Result<PeerResponse>> HttpPeer::call(std::string address,
                                                            PeerRequest request, Duration limit) {
    const auto pool = impl_->pool;
    const auto head = request_head(address, request, pool->options().secret);
    if (!head) co_return head.error();
    const auto limit_at = monotonic_now() + limit;
    const bool repeatable =
        !request.body_stream && (pool->options().repeat_posts || request.method != "POST");
    Exchange exchange(pool, request, *head, limit, limit_at);

    std::optional<Error> unsure;  // it may have arrived on a pooled connection that then broke
    if (auto pooled = pool->take(address)) {
        auto attempt = co_await exchange.run(std::move(pooled));
        if (attempt.response) co_return std::move(*attempt.response);
        const bool stale = attempt.error.code == Errc::unavailable && !attempt.answer_begun;
        if (!stale || !repeatable) co_return attempt.error;
        unsure = attempt.error;
    }
    auto connection = co_await pool->connect(address, limit_at);
    if (!connection) co_return unsure ? *unsure : connection.error();
    auto attempt = co_await exchange.run(std::move(*connection));
    if (attempt.response) co_return std::move(*attempt.response);
    co_return attempt.error;
}

}  // namespace longhaul::net
