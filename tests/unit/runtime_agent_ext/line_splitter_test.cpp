#include "runtime_agent_ext/driver/line_splitter.hpp"
#include "runtime_agent_ext/driver/log_book.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/temp_folder.hpp"

#include <fstream>
#include <sstream>

namespace longhaul::runtime_agent_ext {
namespace {

struct Lines {
    std::vector<std::pair<std::string, wire::LogFlag>> seen;
    LineSplitter::Sink sink = [this](std::string_view text, wire::LogFlag flag) {
        seen.emplace_back(text, flag);
    };
};

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("lines are split at line feeds wherever the chunks end") {
    Lines lines;
    LineSplitter splitter;
    splitter.feed("one\ntw", lines.sink);
    splitter.feed("o\n\nthree", lines.sink);
    REQUIRE(lines.seen.size() == 3);
    CHECK(lines.seen[1].first == "two");
    CHECK(lines.seen[2].first.empty());
    splitter.finish(lines.sink);
    CHECK(lines.seen[3].first == "three");
}

TEST_CASE("a very long line is split into pieces that say that they continue") {
    Lines lines;
    LineSplitter splitter;
    const std::string chunk(10'000, 'x');
    for (int i = 0; i < 20; ++i) splitter.feed(chunk, lines.sink);
    splitter.feed("\n", lines.sink);
    REQUIRE(lines.seen.size() == 4);
    CHECK(lines.seen[0].first.size() == wire::kLogTextMax);
    CHECK(lines.seen[0].second == wire::LogFlag::continues);
    CHECK(lines.seen[3].second == wire::LogFlag::none);
    CHECK(lines.seen[3].first.size() == 200'000 - 3 * wire::kLogTextMax);
}

TEST_CASE("a log line survives encoding, whatever bytes it holds") {
    std::string text;
    for (int c = 0; c < 256; ++c)
        if (c != '\n') text += static_cast<char>(c);
    std::string line;
    wire::append_log_line(line, {1795435200123, wire::LogStream::err, wire::LogFlag::none, text});
    REQUIRE(line.back() == '\n');
    line.pop_back();
    const auto decoded = wire::decode_log_line(line);
    REQUIRE(decoded);
    CHECK(decoded->unix_ms == 1795435200123);
    CHECK(decoded->stream == wire::LogStream::err);
    CHECK(decoded->text == text);
    for (const char* bad : {"", "x o - t", "1 x - t", "1 o x t", "1 o -", "1"})
        CHECK_FALSE(wire::decode_log_line(bad));
}

TEST_CASE("a run's log is bounded and says so once") {
    test::TempFolder folder;
    test::FakeClock clock;
    LogBook book(clock, folder.path(), InstanceId{"i"}, 4096);
    const wire::AttemptKey key{InvocationId{"a"}, 1};
    book.select(key);
    for (int i = 0; i < 1000; ++i)
        book.write(wire::LogStream::out, wire::LogFlag::none, "a line of text");
    book.flush();
    CHECK(book.full());
    const std::string text = read(folder / wire::log_file_name(key));
    CHECK(text.size() < 4096 + 200);
    CHECK(text.find(" s d ") == text.rfind(" s d "));
    CHECK(text.find(" s d ") != std::string::npos);
    book.select(std::nullopt);
    CHECK_FALSE(book.full());
    book.write(wire::LogStream::err, wire::LogFlag::none, "between");
    book.flush();
    CHECK(read(folder / wire::instance_log_file_name(InstanceId{"i"})).find("between") !=
          std::string::npos);
}

}  // namespace longhaul::runtime_agent_ext
