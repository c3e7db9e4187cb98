#include "longhaul/net/sse.hpp"

#include <algorithm>

namespace longhaul::net {
namespace {

constexpr std::string_view kPreamble = "retry: 3000\n\n";

// A field's value may not have a line end: it would begin another field.
void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    for (const char c : value)
        if (c != '\n' && c != '\r' && c != '\0') out += c;
    out += '\n';
}

void append_data(std::string& out, std::string_view data) {
    while (true) {
        const auto end = data.find_first_of("\r\n");
        out += "data: ";
        out += data.substr(0, end);
        out += '\n';
        if (end == std::string_view::npos) return;
        const bool crlf = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
        data.remove_prefix(end + (crlf ? 2 : 1));
    }
}

// The preamble, then what `events` gives.
class WithPreamble final : public ByteSource {
public:
    explicit WithPreamble(std::unique_ptr<ByteSource> events) : events_(std::move(events)) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        if (!begun_) {
            begun_ = true;
            co_return std::string(kPreamble);
        }
        auto chunk = co_await events_->read();
        co_return chunk;
    }

private:
    std::unique_ptr<ByteSource> events_;
    bool begun_ = false;
};

}  // namespace

std::string format_sse(const SseEvent& event) {
    std::string out;
    out.reserve(event.data.size() + event.id.size() + event.event.size() + 32);
    if (!event.id.empty()) append_field(out, "id: ", event.id);
    if (!event.event.empty()) append_field(out, "event: ", event.event);
    append_data(out, event.data);
    out += '\n';
    return out;
}

Response sse_response(std::unique_ptr<ByteSource> events) {
    Response response;
    response.with("Content-Type", "text/event-stream")
        .with("Cache-Control", "no-cache")
        .with("X-Accel-Buffering", "no");
    response.stream = std::make_unique<WithPreamble>(std::move(events));
    return response;
}

}  // namespace longhaul::net
