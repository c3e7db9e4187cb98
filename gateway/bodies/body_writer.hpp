// One body on its way in: in memory while it is small, in a file from inline_max on.
//
// Lives in the coroutine that stores it. Hashing and writing of files run on Workers.
//
// Invariant: a writer that is destroyed before finish() has succeeded leaves no file behind. It
// removes it on the spot, blocking for one unlink: a coroutine that is cancelled cannot await.
#pragma once

#include "gateway/bodies/body_store.hpp"
#include "longhaul/crypto/sha256.hpp"

#include <functional>
#include <memory>
#include <string>

namespace longhaul::gateway {

class BodyWriter {
public:
    // `folder` and all others outlive the writer.
    BodyWriter(const std::string& folder, port::Disk& disk, port::Workers& workers,
               port::Random& random, const BodyLimits& limits);
    ~BodyWriter();
    BodyWriter(const BodyWriter&) = delete;
    BodyWriter& operator=(const BodyWriter&) = delete;

    boost::asio::awaitable<Result<void>> add(std::string chunk);

    // Durable when this returns. To be called once.
    boost::asio::awaitable<Result<Content>> finish(std::string content_type);

    [[nodiscard]] std::uint64_t size() const { return written_ + pending_.size(); }

private:
    // On Workers; block.
    [[nodiscard]] Result<void> write_pending();
    [[nodiscard]] Result<void> create();
    [[nodiscard]] Result<void> make_durable();

    boost::asio::awaitable<Result<void>> run_blocking(Result<void> (BodyWriter::*job)());

    const std::string& folder_;
    port::Disk& disk_;
    port::Workers& workers_;
    const BodyLimits& limits_;
    const std::string name_;

    // Touched by one job or by the coroutine, never both.
    crypto::Sha256 hash_;
    std::string pending_;  // neither hashed nor written
    std::uint64_t written_ = 0;
    std::unique_ptr<port::File> file_;
    bool created_ = false;
    bool kept_ = false;
};

}  // namespace longhaul::gateway
