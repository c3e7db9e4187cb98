#include "host_agent/routes/handlers.hpp"

#include <algorithm>

namespace longhaul::host_agent::routes {
namespace {

class BlobSource final : public port::ByteSource {
public:
    BlobSource(port::BlobStore& blobs, Digest digest, const Range& range)
        : blobs_(blobs), digest_(std::move(digest)), offset_(range.offset), left_(range.length) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        if (left_ == 0) co_return std::string{};
        const std::uint64_t size = std::min<std::uint64_t>(left_, 256 * 1024);
        auto bytes = co_await blobs_.get(digest_, offset_, size);
        if (!bytes) co_return bytes;
        if (bytes->empty())
            co_return make_error(Errc::io_failed, "the package became shorter while it was read");
        offset_ += bytes->size();
        left_ -= bytes->size();
        co_return bytes;
    }

private:
    port::BlobStore& blobs_;
    const Digest digest_;
    std::uint64_t offset_;
    std::uint64_t left_;
};

}  // namespace

Answer package(const Handles& handles, net::Request& request) {
    auto digest = parse_digest(request.param("digest"));
    if (!digest) co_return net::problem_response(digest.error());
    auto size = co_await handles.blobs.head(*digest);
    if (!size) co_return net::problem_response(size.error());
    auto range = range_of(request, *size);
    if (!range) co_return net::problem_response(range.error());
    auto body = std::make_unique<BlobSource>(handles.blobs, *digest, *range);
    co_return range_response(*range, *size, std::move(body));
}

}  // namespace longhaul::host_agent::routes
