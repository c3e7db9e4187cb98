#include "longhaul/program/start.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_folder.hpp"

#include <stdlib.h>

#include <fstream>

namespace longhaul::program {
namespace {

const Program kProgram{"tester",
                       "A program for tests.",
                       "Examples:\n  tester",
                       {{"--listen", "listen", "ADDRESS", "where"}}};

struct Settings {
    std::string listen = "127.0.0.1:7070";
    std::string secret{};
    std::uint32_t queue_max = 100;
    std::vector<std::string> urls{};
};

Result<Settings> read(ConfigReader& reader) {
    Settings out;
    reader.address("listen", out.listen);
    reader.secret("secret", out.secret);
    reader.guarded("listen", out.listen, out.secret);
    reader.integer("queue.max", out.queue_max, 1, 1'000'000, "invocations");
    reader.texts("nats.urls", out.urls);
    if (auto done = reader.finish(); !done) return done.error();
    return out;
}

class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) {
        ::setenv(name, value.c_str(), 1);
    }
    ~Variable() { ::unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* const name_;
};

struct Started {
    explicit Started(std::vector<std::string> words) : words_(std::move(words)) {
        words_.insert(words_.begin(), "tester");
        for (std::string& word : words_) argv_.push_back(word.data());
        start.emplace(kProgram, static_cast<int>(argv_.size()), argv_.data());
        settings = read(start->reader());
    }

    [[nodiscard]] std::string problems() const { return settings ? "" : settings.error().message; }

    std::optional<Start> start;
    Result<Settings> settings = Settings{};

private:
    std::vector<std::string> words_;
    std::vector<char*> argv_;
};

std::string file_with(const test::TempFolder& folder, const std::string& name,
                      const std::string& text) {
    const std::string path = folder / name;
    std::ofstream(path) << text;
    return path;
}

}  // namespace

TEST_CASE("a flag wins over the environment, that over the file, that over the default") {
    const test::TempFolder folder;
    const std::string file = file_with(
        folder, "t.toml", "listen = \"127.0.0.1:1\"\nqueue.max = 1\nnats.urls = [\"a\", \"b\"]\n");
    SECTION("the file") {
        const Started it({"--config", file});
        REQUIRE(it.problems() == "");
        CHECK(it.settings->queue_max == 1);
        CHECK(it.settings->urls == std::vector<std::string>{"a", "b"});
    }
    SECTION("the environment over it, which may also name the file") {
        const Variable config("LONGHAUL_TESTER_CONFIG", file);
        const Variable number("LONGHAUL_TESTER_QUEUE_MAX", "2");
        const Variable list("LONGHAUL_TESTER_NATS_URLS", "c,d,e");
        const Started it(std::vector<std::string>{});
        REQUIRE(it.problems() == "");
        CHECK(it.settings->listen == "127.0.0.1:1");
        CHECK(it.settings->queue_max == 2);
        CHECK(it.settings->urls == std::vector<std::string>{"c", "d", "e"});
    }
    SECTION("flags over both") {
        const Variable number("LONGHAUL_TESTER_QUEUE_MAX", "2");
        const Started it({"--config", file, "--set", "queue.max=3", "--listen", "[::1]:0"});
        REQUIRE(it.problems() == "");
        CHECK(it.settings->queue_max == 3);
        CHECK(it.settings->listen == "[::1]:0");
    }
}

TEST_CASE("the problems of all sources are told at once") {
    const test::TempFolder folder;
    const std::string file = file_with(folder, "t.toml", "queue.max = 0\nextra = 1\n");
    const Variable unknown("LONGHAUL_TESTER_QUEUE_MIX", "2");
    const Variable kubernetes("LONGHAUL_TESTER_PORT_7070_TCP", "tcp://10.0.0.1:7070");
    const Started it({"--config", file, "--nonsense", "--set", "banana", "--listen", "7070",
                      "--log-level", "loud"});
    const std::string problems = it.problems();
    INFO(problems);
    for (const char* text :
         {"t.toml:1: queue.max must be between 1 and 1,000,000 invocations, is 0",
          "t.toml:2: extra is no known setting", "--nonsense: no such flag",
          "--set banana: is not of the form name=value",
          "--listen: listen '7070' is neither IP:PORT nor unix:PATH",
          "--log-level: log_level must be one of debug, info, warning, error, off, is 'loud'",
          "LONGHAUL_TESTER_QUEUE_MIX names no known setting (did you mean "
          "LONGHAUL_TESTER_QUEUE_MAX?)"})
        CHECK(problems.find(text) != std::string::npos);
    CHECK(problems.find("KUBERNETES") == std::string::npos);
    CHECK(problems.find("PORT_7070") == std::string::npos);
    CHECK(it.settings.has_error());
}

TEST_CASE("a file that is missing or broken is a problem like others") {
    const test::TempFolder folder;
    const std::string broken = file_with(folder, "t.toml", "a = \n");
    CHECK(Started({"--config", folder / "none.toml"}).problems().find("cannot be opened") !=
          std::string::npos);
    const Started it({"--config", broken, "--set", "queue.max=0"});
    CHECK(it.problems().find("t.toml:1:") != std::string::npos);
    CHECK(it.problems().find("--set queue.max: queue.max must be") != std::string::npos);
}

TEST_CASE("a secret comes from a file or the environment, never from the command line") {
    const test::TempFolder folder;
    const std::string file = file_with(folder, "secret", "s3cret\n");
    CHECK(Started({"--set", "secret_file=" + file}).settings->secret == "s3cret");
    {
        const Variable variable("LONGHAUL_TESTER_SECRET", "other");
        CHECK(Started(std::vector<std::string>{}).settings->secret == "other");
        CHECK(Started({"--set", "secret_file=" + file}).problems().find("both given") !=
              std::string::npos);
    }
    const std::string problems = Started({"--set", "secret=x"}).problems();
    CHECK(problems.find("which every user can read: use secret_file or LONGHAUL_TESTER_SECRET") !=
          std::string::npos);
    CHECK(
        Started({"--set", "secret_file=" + folder / "none"}).problems().find("cannot be opened") !=
        std::string::npos);
}

TEST_CASE("a listener that others can reach needs the secret") {
    CHECK(Started({"--listen", "0.0.0.0:0"}).problems().find("secret_file") != std::string::npos);
    const Variable variable("LONGHAUL_TESTER_SECRET", "x");
    CHECK(Started({"--listen", "0.0.0.0:0"}).problems() == "");
}

TEST_CASE("what is printed as the configuration can be read again and hides the secret") {
    const test::TempFolder folder;
    const Variable variable("LONGHAUL_TESTER_SECRET", "s3cret");
    Started first({"--set", "queue.max=7", "--set", "nats.urls=a,b"});
    REQUIRE(first.problems() == "");
    const std::string printed = effective_toml("tester", first.start->reader().settings());
    INFO(printed);
    CHECK(printed.find("s3cret") == std::string::npos);
    CHECK(printed.find("# secret is set, not shown  # from LONGHAUL_TESTER_SECRET") !=
          std::string::npos);
    CHECK(printed.find("queue.max = 7  # 1 … 1,000,000 invocations; default 100; "
                       "from --set queue.max") != std::string::npos);
    CHECK(printed.find("listen = \"127.0.0.1:7070\"  # default") != std::string::npos);
    const Started again({"--config", file_with(folder, "again.toml", printed)});
    REQUIRE(again.problems() == "");
    CHECK(again.settings->queue_max == 7);
    CHECK(again.settings->urls == std::vector<std::string>{"a", "b"});
}

TEST_CASE("--check, --version and wrong configurations have their exit codes") {
    const auto exit_code = [](const std::vector<std::string>& words) {
        Started it(words);
        return it.start->settle(it.settings);
    };
    CHECK(exit_code({"--check"}) == 0);
    CHECK(exit_code({"--print-config"}) == 0);
    CHECK(exit_code({"--version"}) == 0);
    CHECK(exit_code({"--help"}) == 0);
    CHECK(exit_code({"--check", "--nonsense"}) == 2);
    CHECK(exit_code({"--set", "queue.max=0"}) == 2);
    CHECK(exit_code(std::vector<std::string>{}) == std::nullopt);
}

}  // namespace longhaul::program
