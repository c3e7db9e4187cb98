#include "gateway/driver/event_cursor.hpp"

#include <charconv>
#include <functional>
#include <span>
#include <string_view>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kDigitsMax = 20;

}  // namespace

Result<std::optional<port::Position>> EventCursor::load() {
    auto file = disk_.open(path_, port::OpenMode::read);
    if (!file && file.error().code == Errc::not_found) return std::optional<port::Position>{};
    if (!file) return file.error();
    std::string text(kDigitsMax + 1, '\0');
    const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span{text}));
    if (!count) return count.error();
    text.resize(*count);
    port::Position position = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), position);
    const bool is_whole =
        parsed.ec == std::errc{} && std::string_view(parsed.ptr, text.data() + text.size()) == "\n";
    return std::optional<port::Position>{is_whole ? position : 0};
}

boost::asio::awaitable<Result<void>> EventCursor::store(port::Position position) {
    Result<void> written;
    std::function<void()> job = [this, position, &written] { written = store_now(position); };
    co_await workers_.run(std::move(job));
    co_return written;
}

Result<void> EventCursor::store_now(port::Position position) {
    const std::string text = std::to_string(position) + "\n";
    const std::string next = path_ + ".new";
    auto file = disk_.open(next, port::OpenMode::write);
    if (!file) return file.error();
    if (auto cut = (*file)->truncate(0); !cut) return cut;
    if (auto put = (*file)->write_at(0, std::as_bytes(std::span{text})); !put) return put;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto renamed = disk_.rename(next, path_); !renamed) return renamed;
    return disk_.sync_dir(path_.substr(0, path_.rfind('/')));
}

}  // namespace longhaul::gateway
