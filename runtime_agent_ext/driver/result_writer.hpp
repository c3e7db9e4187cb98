// A result on its way to the store: written beside its name, bounded, renamed when whole. What is
// given up leaves nothing behind.
#pragma once

#include "longhaul/crypto/sha256.hpp"
#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/process/unique_fd.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

inline constexpr std::uint64_t kInlineResultMax = 8 * 1024;  // bytes

class ResultWriter {
public:
    ResultWriter(std::string store_directory, const wire::AttemptKey& key, std::uint64_t bytes_max);
    ~ResultWriter();
    ResultWriter(const ResultWriter&) = delete;
    ResultWriter& operator=(const ResultWriter&) = delete;

    // Past the limit bytes are counted and dropped.
    void write(std::string_view bytes);

    [[nodiscard]] bool is_too_large() const { return size_ > bytes_max_; }

    // Errc::too_large names the limit; Errc::io_failed. At most once.
    [[nodiscard]] Result<Content> finish(std::string content_type);

private:
    void spill();

    // Constant after construction.
    const std::string path_;
    const std::string name_;
    const std::uint64_t bytes_max_;

    std::string small_;  // all of it, while it may travel inline
    process::UniqueFd file_;
    std::optional<crypto::Sha256> digest_;  // of what is in the file
    std::uint64_t size_ = 0;
    std::optional<Error> error_;
};

// The file that the function wrote as its result ($LONGHAUL_RESULT), moved into the store. REQUIRES
// that none of its processes lives. Errc::too_large, Errc::refused where it is no plain file of its
// own; Errc::not_found where there is none.
[[nodiscard]] Result<Content> adopt_result_file(const std::string& path,
                                                const std::string& store_directory,
                                                const wire::AttemptKey& key,
                                                std::uint64_t bytes_max);

}  // namespace longhaul::runtime_agent_ext
