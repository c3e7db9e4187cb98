// An invocation's body on its way in: small ones in memory, larger ones in an unlinked file in the
// instance directory. A value with one owner.
#pragma once

#include "longhaul/crypto/sha256.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/process/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

class Body {
public:
    static constexpr std::size_t kMemoryMax = 256 * 1024;  // bytes

    Body() = default;
    // `sha256`: what finish() compares with; "" = nothing.
    Body(std::string directory, std::string sha256);

    [[nodiscard]] Result<void> append(std::string_view bytes);
    // That it is as long as announced, and of the announced digest: Errc::invalid_argument.
    [[nodiscard]] Result<void> finish(std::uint64_t announced_size);

    [[nodiscard]] std::uint64_t size() const { return size_; }
    [[nodiscard]] bool in_memory() const { return !file_; }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }  // where in memory

    // A descriptor at the first byte, for a program's stdin: none (-1) where the body is empty.
    [[nodiscard]] Result<process::UniqueFd> open() const;
    // The same, to be sent on. At most one reader at a time.
    [[nodiscard]] Result<std::unique_ptr<port::ByteSource>> stream() const;

private:
    [[nodiscard]] Result<void> spill();

    std::string directory_;
    std::string sha256_;
    std::optional<crypto::Sha256> digest_;
    std::string bytes_;
    process::UniqueFd file_;
    std::uint64_t size_ = 0;
};

}  // namespace longhaul::runtime_agent_ext
