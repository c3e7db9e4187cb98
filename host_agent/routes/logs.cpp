#include "host_agent/routes/handlers.hpp"

#include <algorithm>
#include <charconv>

namespace longhaul::host_agent::routes {
namespace {

// ?offset=BYTES (into the file), ?tail=LINES (from the end, instead; with ?stream=o|e of that
// stream alone), ?follow=1.
struct LogQuery {
    std::uint64_t offset = 0;
    std::uint64_t tail = 0;
    bool has_tail = false;
    bool follow = false;
    char stream = 0;
};

Result<LogQuery> query_of(const net::Request& request) {
    LogQuery query;
    const auto read = [&request](std::string_view name, std::uint64_t& out) -> Result<bool> {
        const auto text = request.query_value(name);
        if (!text) return false;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
        if (error == std::errc{} && end == text->data() + text->size()) return true;
        return make_error(Errc::invalid_argument, std::string(name) + " must be a number");
    };
    if (auto there = read("offset", query.offset); !there) return there.error();
    auto tail = read("tail", query.tail);
    if (!tail) return tail.error();
    query.has_tail = *tail;
    const auto stream = request.query_value("stream");
    if (stream && !stream->empty()) query.stream = stream->front();
    const auto follow = request.query_value("follow");
    query.follow = follow && *follow != "0" && *follow != "false";
    return query;
}

struct OpenedLog {
    Result<std::unique_ptr<port::File>> file = std::unique_ptr<port::File>{};
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::optional<Error> failure{};
};

void open_log(port::Disk& disk, const std::string& path, const LogQuery& query, OpenedLog& out) {
    out.offset = query.offset;
    out.file = disk.open(path, port::OpenMode::read);
    if (!out.file) return;
    auto size = (*out.file)->size();
    if (size && query.has_tail) {
        auto begin = query.tail == 0 ? size : tail_offset(**out.file, query.tail, query.stream);
        if (!begin) out.failure = begin.error();
        if (begin) out.offset = *begin;
    }
    if (!size) out.failure = size.error();
    if (size) out.size = *size;
}

bool is_over(const Ledger& ledger, const RunKey& key) {
    const Run* run = ledger.core().run(key);
    return run == nullptr || run->state == RunState::ended;
}

}  // namespace

Answer logs(const Handles& handles, net::Request& request) {
    auto key = key_of(request);
    if (!key) co_return net::problem_response(key.error());
    auto query = query_of(request);
    if (!query) co_return net::problem_response(query.error());
    const std::string path = handles.files.log_path(*key);
    const RunKey name = run_key(*key);
    // Read before the file is: a log that was complete is served complete.
    const bool over = is_over(handles.ledger, name);
    OpenedLog log;
    std::function<void()> job = [&] { open_log(handles.disk, path, *query, log); };
    co_await handles.workers.run(std::move(job));
    if (log.failure) co_return net::problem_response(*log.failure);
    const bool missing = !log.file && log.file.error().code == Errc::not_found;
    if (!log.file && !missing) co_return net::problem_response(log.file.error());
    if (missing && handles.ledger.core().run(name) == nullptr)
        co_return net::problem_response(
            make_error(Errc::not_found, "no log of this attempt is kept here", "logs-unavailable"));

    net::Response response;
    response.with("Content-Type", "application/vnd.longhaul.log");
    response.with("Longhaul-Log-Offset", std::to_string(log.offset));
    if (query->follow && !over) {
        FollowSource::IsOver ended = [&ledger = handles.ledger, name] {
            return is_over(ledger, name);
        };
        response.stream =
            std::make_unique<FollowSource>(handles.log_watch, handles.clock, handles.disk,
                                           handles.workers, path, log.offset, std::move(ended));
        co_return response;
    }
    const std::uint64_t length = log.size > log.offset ? log.size - log.offset : 0;
    if (length == 0) co_return response;
    response.stream =
        std::make_unique<FileSource>(handles.workers, std::move(*log.file), log.offset, length);
    response.stream_bytes = length;
    co_return response;
}

}  // namespace longhaul::host_agent::routes
