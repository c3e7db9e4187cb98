// Reads one component's configuration into its plain struct, from (last wins) the defaults in the
// struct's declaration, a TOML file, the environment and flags, and reports all problems together:
// unknown names, wrong types, values out of bounds.
//
//     ConfigReader reader{document};
//     reader.integer("queue.global_max", config.queue_max, 1, 10'000'000, "invocations");
//     if (auto done = reader.finish(); !done) …
//
// The environment variable of a setting is the prefix and the name in capitals, with `_` for each
// `.`: LONGHAUL_GATEWAY_QUEUE_GLOBAL_MAX.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

// A flat document: dotted name -> text of the value. Lists are one text per item.
struct ConfigDocument {
    // What the file's syntax said; overrides are text and may stand for anything.
    enum class Kind : std::uint8_t { text, number, boolean };
    enum class Source : std::uint8_t { file, environment, flag };

    struct Value {
        std::vector<std::string> items;  // one for a scalar
        bool is_list = false;
        Kind kind = Kind::text;
        std::string origin;  // "longhaul.toml:12", "--queue.global_max", "LONGHAUL_…"
        Source source = Source::file;
    };
    std::map<std::string, Value, std::less<>> values;

    // Over the file and under the flags: the variables that begin with the prefix, by whole name.
    std::string environment_prefix{};
    std::map<std::string, std::string, std::less<>> environment{};

    // What is wrong with the sources themselves; told together with what the reader finds.
    std::vector<std::string> problems{};

    // Sets or replaces a scalar: a flag. A list is its items with commas between.
    void override_with(std::string_view name, std::string_view text, std::string_view origin);
};

// Errc::invalid_argument names file, line and reason.
[[nodiscard]] Result<ConfigDocument> parse_toml(std::string_view text, std::string_view file_name);
[[nodiscard]] Result<ConfigDocument> read_toml_file(const std::string& path);

// What the file holds, without line ends after it. Errc::invalid_argument: empty, or above 4 KiB.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path);

// Lays `name=value` texts (of `--set`) over the document.
[[nodiscard]] Result<void> apply_settings(ConfigDocument& document,
                                          const std::vector<std::string>& settings);

class ConfigReader {
public:
    explicit ConfigReader(const ConfigDocument& document);

    void text(std::string_view name, std::string& out);
    void choice(std::string_view name, std::string& out,
                std::initializer_list<std::string_view> allowed);
    // "127.0.0.1:7070", "[::1]:0", "unix:/path"; an optional one may be "".
    void address(std::string_view name, std::string& out);
    void optional_address(std::string_view name, std::string& out);
    void addresses(std::string_view name, std::vector<std::string>& out);
    // A secret, or the file that holds one (`name` and `name` + "_file"); neither from a flag's
    // value, which every user of the machine can read.
    void secret(std::string_view name, std::string& out);
    // A listener that trusts its callers must be on loopback, or check a secret.
    void guarded(std::string_view name, const std::string& address, const std::string& secret);
    void texts(std::string_view name, std::vector<std::string>& out);
    void boolean(std::string_view name, bool& out);
    template <class Integer>
    void integer(std::string_view name, Integer& out, std::int64_t min, std::int64_t max,
                 std::string_view unit) {
        std::int64_t value = static_cast<std::int64_t>(out);
        read_integer(name, value, min, max, unit);
        out = static_cast<Integer>(value);
    }
    void duration(std::string_view name, Duration& out, Duration min, Duration max);
    // Reads "6MiB", "64KiB", "1GiB", or a plain number of bytes.
    void bytes(std::string_view name, std::uint64_t& out, std::uint64_t min, std::uint64_t max);
    // Names read by somebody else, e.g. tables passed on: not unknown.
    void ignore_prefix(std::string_view prefix);
    void problem(std::string_view name, std::string_view what);

    // All problems in one message, a line each, or success. Names not read are problems.
    [[nodiscard]] Result<void> finish();

    // What was read, in that order.
    struct Setting {
        std::string name;
        std::string value;    // as TOML writes it
        std::string initial;  // the default, the same way
        std::string bounds;   // "1 … 10,000 hosts"; may be ""
        std::string origin;   // "" = the default
        bool secret = false;  // then `value` is ""
    };
    [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }

private:
    // Keeps what one of the functions above did; its destructor notes the outcome.
    class Note;
    friend class Note;

    [[nodiscard]] const ConfigDocument::Value* find_in_environment(std::string_view name);
    void unknown_names();
    void read_integer(std::string_view name, std::int64_t& out, std::int64_t min, std::int64_t max,
                      std::string_view unit);
    [[nodiscard]] const ConfigDocument::Value* find(std::string_view name);
    [[nodiscard]] const ConfigDocument::Value* find_scalar(std::string_view name);
    void problem_at(const ConfigDocument::Value& value, std::string_view name,
                    std::string_view what);

    const ConfigDocument& document_;
    std::vector<std::string> known_;
    std::vector<std::string> ignored_prefixes_;
    std::vector<std::string> problems_;
    std::vector<Setting> settings_;
    std::map<std::string, ConfigDocument::Value, std::less<>> from_environment_;
};

// Errc::invalid_argument where it is no address that can be listened on or connected to.
[[nodiscard]] Result<void> check_address(std::string_view text);
[[nodiscard]] bool is_loopback(std::string_view address);

// "nats://user:secret@host" as "nats://host": what may be shown of a URL; other text as it is.
[[nodiscard]] std::string without_user(std::string_view url);

[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);  // "6MiB"

}  // namespace longhaul
