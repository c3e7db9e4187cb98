#include "cli/deploy_archive.hpp"
#include "cli/deploy_manifest.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>

using namespace longhaul;
using namespace longhaul::cli;

namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "longhaul-unit-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path_ = name;
    }
    ~Folder() { fs::remove_all(path_); }

    void write(const std::string& name, std::string_view content) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name) << content;
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

std::string problems_of(std::string_view text) {
    auto manifest = parse_manifest(text, "f/function.toml", std::nullopt);
    REQUIRE_FALSE(manifest);
    CHECK(manifest.error().code == Errc::invalid_argument);
    return manifest.error().message;
}

}  // namespace

TEST_CASE("a function.toml becomes the function document, with only what it says") {
    auto manifest = parse_manifest(
        "name = \"resize\"\nmode = \"exec\"\ncommand = [\"./run\", \"-x\"]\n"
        "timeout = \"2m\"\nbody_max = \"1MiB\"\n[env]\nA = \"b\"\n",
        "function.toml", std::nullopt);
    REQUIRE(manifest);
    CHECK(manifest->name.text == "resize");
    const auto& document = manifest->document;
    CHECK(*document["command"].as_array() == wire::Json::Array{"./run", "-x"});
    CHECK(*document["timeout"].as_string() == "2m");
    CHECK(*document["body_max"].as_integer() == 1 << 20);
    CHECK(*document["env"]["A"].as_string() == "b");
    CHECK_FALSE(document.find("max_running"));
}

TEST_CASE("another name can be given") {
    auto manifest = parse_manifest("name = \"a\"\ncommand = [\"true\"]\n", "function.toml", "b");
    REQUIRE(manifest);
    CHECK(manifest->name.text == "b");
    CHECK(*manifest->document["name"].as_string() == "b");
}

TEST_CASE("all problems of a function.toml are told at once, with file and line") {
    const auto text = problems_of(
        "name = \"No Good\"\nmode = \"handler\"\ntimout = \"3m\"\n"
        "max_running = 0\nmemory_mb = \"much\"\nconcurrency = 400\n");
    for (const auto* part : {"f/function.toml:3", "timout", "max_running", "memory_mb", "handler",
                             "runtime", "concurrency", "name"})
        CHECK(contains(text, part));
}

TEST_CASE("a function.toml may be of any mode and runtime") {
    const auto server = parse_manifest(
        "name=\"s\"\nmode=\"http\"\ncommand=[\"./serve\"]\n"
        "[http]\npath=\"/run\"\nready_path=\"/ready\"\n",
        "f", std::nullopt);
    REQUIRE(server);
    CHECK(*server->document["http"]["path"].as_string() == "/run");
    CHECK(*server->document["http"]["ready_path"].as_string() == "/ready");
    CHECK(parse_manifest("name=\"n\"\nmode=\"handler\"\nruntime=\"node\"\nhandler=\"a.b\"\n", "f",
                         std::nullopt));
    CHECK(parse_manifest("name=\"c\"\nmode=\"handler\"\nruntime=\"custom\"\ncommand=[\"x\"]\n", "f",
                         std::nullopt));
    const auto text = problems_of("name=\"a\"\nmode=\"http\"\nhandler=\"a.b\"\n");
    CHECK(contains(text, "command"));
    CHECK(contains(text, "handler"));
    CHECK(contains(problems_of("name=\"a\"\ncommand=[\"x\"]\n[http]\npath=\"/\"\n"), "http.path"));
}

TEST_CASE("what a later version brings is refused by name") {
    const auto text =
        problems_of("name=\"a\"\ncommand=[\"x\"]\nreserved=1\ncallbacks=[\"http://x\"]\n");
    for (const auto* part : {"reserved", "callbacks"}) CHECK(contains(text, part));
    CHECK(parse_manifest("name=\"a\"\ncommand=[\"x\"]\nconcurrency=1\n[retry]\nmax_attempts=1\n",
                         "f", std::nullopt));
}

TEST_CASE("broken TOML names its line") {
    CHECK(contains(problems_of("name = \"a\"\nmode = \n"), "2"));
}

TEST_CASE("the same files make the same package, wherever and whenever they lie") {
    const Folder one;
    const Folder two;
    for (const auto* name : {"b.py", "a.py", "lib/c.py"}) one.write(name, name);
    for (const auto* name : {"lib/c.py", "a.py", "b.py"}) two.write(name, name);
    fs::last_write_time(fs::path(two.path()) / "a.py", fs::file_time_type{});
    two.write("__pycache__/a.pyc", "x");
    two.write(".git/HEAD", "x");
    two.write("function.toml", "x");
    const auto first = pack_folder(one.path());
    const auto second = pack_folder(two.path());
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->files == 3);
    CHECK(first->bytes == second->bytes);
    CHECK(first->bytes.substr(0, 4) == "\x28\xb5\x2f\xfd");
}

TEST_CASE("what .longhaulignore lists stays out") {
    const Folder folder;
    folder.write("keep.txt", "1");
    folder.write("data/big.bin", "2");
    folder.write("notes.md", "3");
    folder.write(".longhaulignore", "# comment\ndata/\n*.md\n");
    const auto archive = pack_folder(folder.path());
    REQUIRE(archive);
    CHECK(archive->files == 1);
}

TEST_CASE("a link that leads out of the folder is refused") {
    const Folder folder;
    folder.write("a", "1");
    fs::create_symlink("a", fs::path(folder.path()) / "inner");
    REQUIRE(pack_folder(folder.path()));
    fs::create_symlink("../../etc/passwd", fs::path(folder.path()) / "outer");
    const auto archive = pack_folder(folder.path());
    REQUIRE_FALSE(archive);
    CHECK(contains(archive.error().message, "outer"));
}
