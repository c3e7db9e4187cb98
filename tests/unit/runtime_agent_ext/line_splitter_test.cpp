#include "runtime_agent_ext/driver/line_splitter.hpp"
#include "runtime_agent_ext/driver/log_book.hpp"
#include "runtime_agent_ext/driver/run_logs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/temp_folder.hpp"

#include <fstream>
#include <optional>
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
    const std::string name = wire::log_file_name({InvocationId{"a"}, 1});
    LogBook book(clock, folder.path(), name, 4096);
    for (int i = 0; i < 1000; ++i)
        book.write(wire::LogStream::out, wire::LogFlag::none, "a line of text");
    book.flush();
    CHECK(book.full());
    const std::string text = read(folder / name);
    CHECK(text.size() < 4096 + 200);
    CHECK(text.find(" s d ") == text.rfind(" s d "));
    CHECK(text.find(" s d ") != std::string::npos);
}

namespace {

// The logs of one instance, and what is said to them.
struct Desk {
    explicit Desk(bool shared) {
        config.log_directory = folder.path();
        config.instance = InstanceId{"i"};
        logs.emplace(clock, config);
        if (shared) logs->share();
    }
    void say(const std::string& bytes, wire::LogStream stream = wire::LogStream::out) {
        logs->feed(stream, bytes,
                   [this](const RunKey& key) { heard.push_back(key.invocation.text); });
    }
    // The texts in a log.
    std::vector<std::string> log(const std::string& name) const {
        std::vector<std::string> texts;
        std::istringstream lines(read(folder / name));
        for (std::string line; std::getline(lines, line);)
            texts.emplace_back(wire::decode_log_line(line)->text);
        return texts;
    }
    std::vector<std::string> of(const std::string& id) const {
        return log(wire::log_file_name({InvocationId{id}, 1}));
    }
    std::vector<std::string> of_instance() const {
        return log(wire::instance_log_file_name(InstanceId{"i"}));
    }

    test::TempFolder folder;
    test::FakeClock clock;
    Config config;
    std::optional<RunLogs> logs;
    std::vector<std::string> heard;
};

const RunKey kA{InvocationId{"a"}, 1};
const RunKey kB{InvocationId{"b"}, 1};

}  // namespace

TEST_CASE("all output is that of the only run, and the instance's between runs") {
    Desk desk(false);
    desk.say("before\n");
    desk.logs->begin(kA);
    desk.say("@longhaul:b a line\nand a beg");
    desk.logs->end(kA);
    desk.say("after\n");
    CHECK(desk.of("a") == std::vector<std::string>{"@longhaul:b a line", "and a beg"});
    CHECK(desk.of_instance() == std::vector<std::string>{"before", "after"});
    CHECK(desk.heard == std::vector<std::string>{"a"});
}

TEST_CASE("a line goes to the run that its tag names, whole, wherever it was cut") {
    Desk desk(true);
    desk.logs->begin(kA);
    desk.logs->begin(kB);
    desk.say("@longhaul:a one\n@longh");
    desk.say("error of b\n", wire::LogStream::err);
    desk.say("aul:b two\n@longhaul:a\n");
    desk.say("@longhaul:b " + std::string(wire::kLogTextMax, 'x') + "y\n@longhaul:a end\n");
    CHECK(desk.of("a").at(0) == "one");
    CHECK(desk.of("a").back() == "end");
    const auto of_b = desk.of("b");
    REQUIRE(of_b.size() == 4);  // one is ours: that lines without a tag are not here
    CHECK(of_b.at(1) == "two");
    CHECK(of_b.at(2).size() + of_b.at(3).size() == wire::kLogTextMax + 1);
    CHECK(desk.of_instance() == std::vector<std::string>{"error of b"});
}

TEST_CASE("a line of a run that is over is the instance's") {
    Desk desk(true);
    desk.logs->begin(kA);
    desk.say("mine\n");
    desk.logs->end(kA);
    desk.logs->begin(kB);
    desk.say("@longhaul:a late\n");
    CHECK(desk.of("a") == std::vector<std::string>{"mine"});
    CHECK(desk.of("b").empty());
    CHECK(desk.of_instance() == std::vector<std::string>{"@longhaul:a late"});
}

}  // namespace longhaul::runtime_agent_ext
