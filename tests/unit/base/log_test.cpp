#include "tests/support/catch.hpp"

#include "longhaul/base/log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <string>

using namespace longhaul;

namespace {

// Gives back what `write` put on stderr.
template <class Write>
std::string captured(Write write) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::fflush(stderr);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    write();
    std::fflush(stderr);
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    std::rewind(file);
    std::string text(65536, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

}  // namespace

TEST_CASE("a log line has time, level, component, event and fields") {
    const auto logger = Logger::to_stderr(LogLevel::info, LogFormat::text).named("gateway");
    const std::string text = captured([&logger] {
        logger.info(
            "submitted",
            {{"id", "a-1"}, {"tries", 3}, {"share", 0.5}, {"why", "two words"}, {"none", ""}});
        logger.debug("not shown");
    });
    REQUIRE(text.size() > 25);
    CHECK(text.substr(24) ==
          " info gateway submitted id=a-1 tries=3 share=0.5 why=\"two words\" none=\"\"\n");
}

TEST_CASE("a value cannot break its line, nor grow it without end") {
    const auto logger = Logger::to_stderr(LogLevel::debug, LogFormat::text).named("x");
    const std::string text = captured([&logger] {
        logger.error(
            "a\nb",
            {{"v", "1\n2 error gateway forged"}, {"w", std::string(10'000, 'a')}, {"u", "\xff="}});
    });
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.find("v=\"1\\n2 error gateway forged\"") != std::string::npos);
    CHECK(text.size() < 4400);
}

TEST_CASE("a JSON log line is an object of strings") {
    const auto logger = Logger::to_stderr(LogLevel::debug, LogFormat::json).named("host");
    const std::string text = captured([&logger] {
        logger.warning("lost", {{"id", "q\""}, {"n", 2u}});
    });
    CHECK(text.find("{\"time\":\"2") == 0);
    CHECK(text.substr(34) ==
          ",\"level\":\"warning\",\"component\":\"host\",\"event\":\"lost\",\"id\":\"q\\\"\",\"n\":"
          "\"2\"}\n");
}

TEST_CASE("a default logger is silent") {
    const Logger logger;
    CHECK_FALSE(logger.enabled(LogLevel::error));
    CHECK(captured([&logger] { logger.error("x"); }).empty());
}
