#include "host_agent/routes/handlers.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace longhaul::host_agent::routes {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

Result<wire::AttemptKey> key_of(const net::Request& request) {
    auto id = parse_invocation_id(request.param("id"));
    if (!id) return id.error();
    const auto attempt = number(request.param("attempt"));
    if (!attempt || *attempt == 0 || *attempt > 1'000'000)
        return make_error(Errc::invalid_argument, "the attempt is no number from 1 to 1000000");
    return wire::AttemptKey{std::move(*id), static_cast<AttemptNumber>(*attempt)};
}

Result<Range> range_of(const net::Request& request, std::uint64_t size) {
    const Range all{0, size, false};
    const auto header = request.header("Range");
    if (!header || !header->starts_with("bytes=")) return all;
    const std::string_view spec = header->substr(6);
    const auto dash = spec.find('-');
    if (dash == spec.npos || spec.find(',') != spec.npos) return all;
    const auto first = number(spec.substr(0, dash));
    const auto last = number(spec.substr(dash + 1));
    if (dash == 0) {  // the last bytes
        if (!last) return all;
        const std::uint64_t length = std::min(*last, size);
        return Range{size - length, length, true};
    }
    if (!first) return all;
    if (*first >= size)
        return make_error(Errc::invalid_argument,
                          "the range begins behind the end of " + std::to_string(size) + " bytes",
                          "range");
    std::uint64_t end = size;
    if (last && *last >= *first && *last < size) end = *last + 1;
    return Range{*first, end - *first, true};
}

net::Response range_response(const Range& range, std::uint64_t whole,
                             std::unique_ptr<port::ByteSource> body) {
    net::Response response;
    response.status = range.partial ? 206 : 200;
    response.with("Content-Type", "application/octet-stream").with("Accept-Ranges", "bytes");
    if (range.partial)
        response.with("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                           std::to_string(range.offset + range.length - 1) + "/" +
                                           std::to_string(whole));
    response.stream = std::move(body);
    response.stream_bytes = range.length;
    return response;
}

Answer result(const Handles& handles, net::Request& request) {
    auto key = key_of(request);
    if (!key) co_return net::problem_response(key.error());
    Result<std::unique_ptr<port::File>> file = std::unique_ptr<port::File>{};
    Result<std::uint64_t> size = std::uint64_t{0};
    const std::string path = handles.files.result_path(*key);
    std::function<void()> job = [&] {
        file = handles.disk.open(path, port::OpenMode::read);
        if (file) size = (*file)->size();
    };
    co_await handles.workers.run(std::move(job));
    if (!file && file.error().code == Errc::not_found)
        co_return net::problem_response(
            make_error(Errc::not_found, "no result of this attempt is kept here", "no-result"));
    if (!file) co_return net::problem_response(file.error());
    if (!size) co_return net::problem_response(size.error());
    auto range = range_of(request, *size);
    if (!range) co_return net::problem_response(range.error());
    auto body = std::make_unique<FileSource>(handles.workers, std::move(*file), range->offset,
                                             range->length);
    co_return range_response(*range, *size, std::move(body));
}

}  // namespace longhaul::host_agent::routes
