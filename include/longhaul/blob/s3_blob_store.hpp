// Packages in a bucket of an S3 server: <prefix>sha256/<64 hex>, one object a digest.
//
// Path-style requests over plain HTTP: TLS is a proxy's matter. The peer must carry no secret of
// the cluster. What fails for a moment (429, 5xx,
// no answer) is tried again after 25 ms, doubling. Files are read on Workers; at most one part of a
// file is in memory. Call from one executor.
//   (1) An object under its digest is whole: a single PUT is signed with the digest itself, and the
//       parts of a larger one become an object only together.
#pragma once

#include "longhaul/blob/sigv4.hpp"
#include "longhaul/port/blob_store.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/workers.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul::blob {

struct S3Options {
    std::string endpoint{};  // "10.0.0.5:9000"; "" = S3 is not used
    std::string bucket{};
    std::string prefix{};  // of each key
    S3Credentials credentials{};
    std::uint64_t part_bytes = 16ULL << 20;      // of an upload in parts; at least 5 MiB
    std::uint64_t read_bytes_max = 16ULL << 20;  // one get() returns at most so much
    Duration call_timeout = std::chrono::seconds(30);
    std::uint32_t tries_max = 5;
};

class S3BlobStore final : public port::BlobStore {
public:
    S3BlobStore(port::Peer& peer, port::Clock& clock, port::Disk& disk, port::Workers& workers,
                S3Options options);

    // As the port says. Errc::unavailable: the server, with its own code and message, after the
    // last try; Errc::refused: it does not let us.
    boost::asio::awaitable<Result<void>> put_file(Digest digest, std::string path) override;
    boost::asio::awaitable<Result<std::string>> get(Digest digest, std::uint64_t offset,
                                                    std::uint64_t length) override;
    boost::asio::awaitable<Result<std::uint64_t>> head(Digest digest) override;
    boost::asio::awaitable<Result<void>> remove(Digest digest) override;

private:
    struct Answer {
        int status = 0;
        port::Headers headers{};
        std::string body{};

        [[nodiscard]] std::string header(std::string_view name) const;
    };
    struct Part {
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
    };

    [[nodiscard]] S3Request request(std::string method, const Digest& digest) const;
    // The answer, whatever its status, but for those that are worth another try.
    boost::asio::awaitable<Result<Answer>> ask(S3Request request, std::string body);
    boost::asio::awaitable<Result<Answer>> ask_once(const S3Request& request,
                                                    const std::string& body);
    boost::asio::awaitable<Result<void>> put_whole(Digest digest, std::string path,
                                                   std::uint64_t size);
    boost::asio::awaitable<Result<void>> put_in_parts(Digest digest, std::string path,
                                                      std::uint64_t size);
    boost::asio::awaitable<Result<std::string>> put_part(Digest digest, std::string path,
                                                         std::string upload, std::size_t number,
                                                         Part part);
    boost::asio::awaitable<Result<std::string>> read(std::string path, Part part);
    boost::asio::awaitable<Result<std::uint64_t>> size_of(std::string path);

    port::Peer& peer_;
    port::Clock& clock_;
    port::Disk& disk_;
    port::Workers& workers_;
    const S3Options options_;
};

}  // namespace longhaul::blob
