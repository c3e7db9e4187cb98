// Port: packages by digest; a folder or a bucket (longhaul/blob).
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace longhaul::port {

class BlobStore {
public:
    virtual ~BlobStore() = default;

    // Copies the file at `path` in, durably, under `digest`, which the caller has verified.
    // A digest that is there already is left as it is.
    virtual boost::asio::awaitable<Result<void>> put_file(Digest digest, std::string path) = 0;

    // Up to `length` bytes from `offset`; fewer only at the end. Errc::not_found.
    virtual boost::asio::awaitable<Result<std::string>> get(Digest digest, std::uint64_t offset,
                                                            std::uint64_t length) = 0;
    // Its size in bytes. Errc::not_found.
    virtual boost::asio::awaitable<Result<std::uint64_t>> head(Digest digest) = 0;

    // No error if it is not there.
    virtual boost::asio::awaitable<Result<void>> remove(Digest digest) = 0;
};

}  // namespace longhaul::port
