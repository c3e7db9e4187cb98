// The log of an invocation as a caller reads it: the logs of its attempts, one after another, from
// their hosts, as text, NDJSON or server-sent events; to the end, or (follow) until it has ended.
//
// Offsets are "attempt:byte" of the raw log: the id of each event and line, and what ?since= takes.
#pragma once

#include "gateway/routes/api.hpp"
#include "longhaul/wire/log_line.hpp"

#include <memory>
#include <optional>
#include <string>

namespace longhaul::gateway {

enum class LogFormat : std::uint8_t { text, ndjson, sse };

struct LogQuery {
    LogFormat format = LogFormat::text;
    bool follow = false;
    bool timestamps = false;                  // text: each line begins with its time and stream
    std::optional<std::uint64_t> tail{};      // lines; of the newest attempt
    std::optional<wire::LogStream> stream{};  // nothing: both
    AttemptNumber attempt = 0;                // where to begin; 0 = at the first
    std::uint64_t offset = 0;                 // bytes
};

// Errc::invalid_argument of type invalid-parameter names the parameter.
[[nodiscard]] Result<LogQuery> parse_log_query(const net::Request& request);

class LogReader final : public port::ByteSource {
public:
    LogReader(const Api& api, Addressed what, LogQuery query);

    boost::asio::awaitable<Result<std::string>> read() override;

private:
    enum class Next : std::uint8_t { reading, waiting, ended };

    boost::asio::awaitable<Result<Next>> open_next();
    boost::asio::awaitable<Result<Next>> wait_for_change();
    void take(std::string_view chunk, std::string& out);
    void take_line(std::string_view line, std::uint64_t end_offset, std::string& out);
    [[nodiscard]] std::string finish();

    const Api& api_;
    const Addressed what_;
    LogQuery query_;
    std::unique_ptr<port::ByteSource> source_{};
    std::string partial_{};   // bytes of a line that has not ended
    bool last_look_ = false;  // the attempt had ended when its log was opened
    bool skips_to_line_ = false;  // reading began before an offset that may lie inside a line
    bool finished_ = false;
    std::uint32_t seen_revision_ = 0;
};

}  // namespace longhaul::gateway
