#include "longhaul/wire/json.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/text.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace longhaul::wire {
namespace {

constexpr std::size_t kIndent = 2;

void append_integer(std::string& out, std::int64_t value) {
    char buffer[24];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, value);
    out.append(buffer, written.ptr);
}

// The shortest text that reads back as the same double, and never as an integer.
void append_real(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    char buffer[32];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, value);
    const std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

// Recursive, as deep as the value: parsed ones are bounded by JsonLimits, ours by our messages.
class Writer {
public:
    Writer(std::string& out, bool pretty) : out_(out), pretty_(pretty) {}

    void value(const Json& json, std::size_t depth) {
        if (const bool* boolean = json.as_bool()) {
            out_ += *boolean ? "true" : "false";
        } else if (const std::int64_t* integer = json.as_integer()) {
            append_integer(out_, *integer);
        } else if (json.is_number()) {
            append_real(out_, json.number());
        } else if (const std::string* text = json.as_string()) {
            append_json_string(out_, *text);
        } else if (const Json::Array* items = json.as_array()) {
            array(*items, depth);
        } else if (const Json::Object* members = json.as_object()) {
            object(*members, depth);
        } else {
            out_ += "null";
        }
    }

private:
    void array(const Json::Array& items, std::size_t depth) {
        out_ += '[';
        bool first = true;
        for (const Json& item : items) {
            separate(first, depth + 1);
            value(item, depth + 1);
        }
        if (!first) new_line(depth);
        out_ += ']';
    }

    void object(const Json::Object& members, std::size_t depth) {
        out_ += '{';
        bool first = true;
        for (const auto& [name, member] : members) {
            separate(first, depth + 1);
            append_json_string(out_, name);
            out_ += pretty_ ? ": " : ":";
            value(member, depth + 1);
        }
        if (!first) new_line(depth);
        out_ += '}';
    }

    void separate(bool& first, std::size_t depth) {
        if (!first) out_ += ',';
        first = false;
        new_line(depth);
    }

    void new_line(std::size_t depth) {
        if (!pretty_) return;
        out_ += '\n';
        out_.append(depth * kIndent, ' ');
    }

    std::string& out_;
    const bool pretty_;
};

}  // namespace

Json::Json(std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        value_ = static_cast<std::int64_t>(value);
    } else {
        value_ = static_cast<double>(value);
    }
}

bool Json::is_number() const {
    return std::holds_alternative<std::int64_t>(value_) || std::holds_alternative<double>(value_);
}

double Json::number() const {
    LH_ASSERT(is_number());
    if (const std::int64_t* integer = as_integer()) return static_cast<double>(*integer);
    return std::get<double>(value_);
}

const Json* Json::find(std::string_view name) const {
    const Object* members = as_object();
    if (!members) return nullptr;
    for (const Member& member : *members) {
        if (member.first == name) return &member.second;
    }
    return nullptr;
}

const Json& Json::operator[](std::string_view name) const {
    static const Json kNull;
    const Json* found = find(name);
    return found ? *found : kNull;
}

Json& Json::set(std::string_view name, Json value) {
    if (is_null()) value_ = Object{};
    Object* members = std::get_if<Object>(&value_);
    LH_ASSERT(members != nullptr);
    for (Member& member : *members) {
        if (member.first == name) {
            member.second = std::move(value);
            return *this;
        }
    }
    members->emplace_back(std::string(name), std::move(value));
    return *this;
}

void Json::push(Json value) {
    if (is_null()) value_ = Array{};
    Array* items = std::get_if<Array>(&value_);
    LH_ASSERT(items != nullptr);
    items->push_back(std::move(value));
}

std::string Json::dump() const {
    std::string out;
    Writer(out, false).value(*this, 0);
    return out;
}

std::string Json::dump_pretty() const {
    std::string out;
    Writer(out, true).value(*this, 0);
    return out;
}

}  // namespace longhaul::wire
