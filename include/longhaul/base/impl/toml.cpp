#include "longhaul/base/config.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <memory>

// Here alone, header-only and without exceptions, so that no program needs its shared library.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace longhaul {
namespace {

using Kind = ConfigDocument::Kind;
using Value = ConfigDocument::Value;

// A configuration file; more is a mistake.
constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kSecretBytesMax = 4096;

struct Scalar {
    std::string text;
    Kind kind = Kind::text;
};

std::string number_text(double value) {
    char buffer[64];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, written.ptr);
}

// False for dates and times, which no setting has.
bool read_scalar(const toml::node& node, Scalar& out) {
    if (const auto* text = node.as_string()) {
        out = {text->get(), Kind::text};
    } else if (const auto* integer = node.as_integer()) {
        out = {std::to_string(integer->get()), Kind::number};
    } else if (const auto* real = node.as_floating_point()) {
        out = {number_text(real->get()), Kind::number};
    } else if (const auto* boolean = node.as_boolean()) {
        out = {boolean->get() ? "true" : "false", Kind::boolean};
    } else {
        return false;
    }
    return true;
}

class Flattener {
public:
    Flattener(ConfigDocument& document, std::string_view file_name)
        : document_(document), file_name_(file_name) {}

    Result<void> table(const toml::table& table, const std::string& prefix, std::size_t depth) {
        if (depth > kDepthMax) return bad(table, prefix, "is nested too deeply");
        for (const auto& [key, node] : table) {
            const std::string name = prefix + std::string(key.str());
            if (const auto* inner = node.as_table()) {
                if (auto done = this->table(*inner, name + ".", depth + 1); !done) return done;
            } else if (auto done = value(node, name); !done) {
                return done;
            }
        }
        return {};
    }

private:
    Result<void> value(const toml::node& node, const std::string& name) {
        Value value;
        value.origin = fmt::format("{}:{}", file_name_, node.source().begin.line);
        Scalar scalar;
        if (const auto* list = node.as_array()) {
            value.is_list = true;
            for (const toml::node& item : *list) {
                if (!read_scalar(item, scalar))
                    return bad(item, name, "must be a list of plain values");
                if (!value.items.empty() && value.kind != scalar.kind) {
                    return bad(item, name, "must be a list of values of one kind");
                }
                value.kind = scalar.kind;
                value.items.push_back(std::move(scalar.text));
            }
        } else {
            if (!read_scalar(node, scalar)) return bad(node, name, "must not be a date; quote it");
            value.kind = scalar.kind;
            value.items.push_back(std::move(scalar.text));
        }
        if (!document_.values.emplace(name, std::move(value)).second) {
            return bad(node, name, "is given twice");
        }
        return {};
    }

    Error bad(const toml::node& node, std::string_view name, std::string_view what) const {
        return make_error(
            Errc::invalid_argument,
            fmt::format("{}:{}: {} {}", file_name_, node.source().begin.line, name, what));
    }

    ConfigDocument& document_;
    const std::string_view file_name_;
};

// One byte more than allowed, where there is that much.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rb"),
                                                               &std::fclose};
    if (!file) return make_error(Errc::not_found, fmt::format("{}: cannot be opened", path));
    std::string text(bytes_max + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get())) {
        return make_error(Errc::io_failed, fmt::format("{}: cannot be read", path));
    }
    return text;
}

}  // namespace

Result<ConfigDocument> parse_toml(std::string_view text, std::string_view file_name) {
    if (text.size() > kFileBytesMax) {
        return make_error(Errc::too_large, fmt::format("{}: over 1MiB", file_name));
    }
    const toml::parse_result parsed = toml::parse(text, file_name);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return make_error(
            Errc::invalid_argument,
            fmt::format("{}:{}: {}", file_name, error.source().begin.line, error.description()));
    }
    ConfigDocument document;
    Flattener flattener{document, file_name};
    if (auto done = flattener.table(parsed.table(), {}, 0); !done) return done.error();
    return document;
}

Result<ConfigDocument> read_toml_file(const std::string& path) {
    auto text = read_file(path, kFileBytesMax);
    if (!text) return text.error();
    return parse_toml(*text, path);
}

Result<std::string> read_secret_file(const std::string& path) {
    auto text = read_file(path, kSecretBytesMax);
    if (!text) return text.error();
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text->empty()) return make_error(Errc::invalid_argument, path + ": is empty");
    if (text->size() > kSecretBytesMax)
        return make_error(Errc::invalid_argument, path + ": a secret has at most 4096 bytes");
    return std::move(*text);
}

}  // namespace longhaul
