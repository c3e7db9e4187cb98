// Reads one component's configuration into its plain struct, from (last wins) the defaults in the
// struct's declaration, a TOML file, and `--flag`/environment overrides, and reports all problems
// together: unknown names, wrong types, values out of bounds.
//
//     ConfigReader reader{document};
//     reader.integer("queue.global_max", config.queue_max, 1, 10'000'000, "invocations");
//     if (auto done = reader.finish(); !done) …
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

// A flat document: dotted name -> text of the value. Lists are one text per item.
struct ConfigDocument {
    // What the file's syntax said; overrides are text and may stand for anything.
    enum class Kind : std::uint8_t { text, number, boolean };

    struct Value {
        std::vector<std::string> items;  // one for a scalar
        bool is_list = false;
        Kind kind = Kind::text;
        std::string origin;  // "longhaul.toml:12", "--queue.global_max", "LONGHAUL_…"
    };
    std::map<std::string, Value, std::less<>> values;

    // Sets or replaces a scalar: a flag or an environment variable over the file.
    void override_with(std::string_view name, std::string_view text, std::string_view origin);
};

// Errc::invalid_argument names file, line and reason.
[[nodiscard]] Result<ConfigDocument> parse_toml(std::string_view text, std::string_view file_name);
[[nodiscard]] Result<ConfigDocument> read_toml_file(const std::string& path);

// Lays `name=value` texts (of `--set`) over the document.
[[nodiscard]] Result<void> apply_settings(ConfigDocument& document,
                                          const std::vector<std::string>& settings);

class ConfigReader {
public:
    explicit ConfigReader(const ConfigDocument& document);

    void text(std::string_view name, std::string& out);
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

private:
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
};

[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);  // "6MiB"

}  // namespace longhaul
