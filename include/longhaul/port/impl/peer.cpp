#include "longhaul/port/peer.hpp"

#include <algorithm>
#include <cctype>

namespace longhaul::port {
namespace {

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

}  // namespace

std::string_view PeerResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) return value;
    return {};
}

boost::asio::awaitable<Result<std::string>> read_all(ByteSource& source, std::uint64_t bytes_max) {
    std::string all;
    while (true) {
        auto chunk = co_await source.read();
        if (!chunk) co_return chunk.error();
        if (chunk->empty()) co_return all;
        if (all.size() + chunk->size() > bytes_max)
            co_return make_error(Errc::too_large,
                                 "the body is larger than " + std::to_string(bytes_max) + " bytes");
        all += *chunk;
    }
}

}  // namespace longhaul::port
