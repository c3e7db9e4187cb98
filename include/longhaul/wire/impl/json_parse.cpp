#include "longhaul/wire/json.hpp"

#include "longhaul/base/text.hpp"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace longhaul::wire {
namespace {

// Numbers come as text and are read by std::from_chars: RapidJSON 1.1.0's own conversion overflows
// on exponents such as 0.00000000001e-2147483639.
constexpr unsigned kFlags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag |
                            rapidjson::kParseNumbersAsStringsFlag;

// Below this a linear search for a duplicate is the quickest.
constexpr std::size_t kFewMembers = 16;

bool is_number_character(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

std::optional<std::string_view> duplicate_of(const Json::Object& members) {
    if (members.size() <= kFewMembers) {
        for (std::size_t i = 1; i < members.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (members[i].first == members[j].first) return std::string_view(members[i].first);
            }
        }
        return std::nullopt;
    }
    std::vector<std::string_view> names;
    names.reserve(members.size());
    for (const auto& [name, value] : members) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return std::nullopt;
    return *twice;
}

// Receives RapidJSON's events and builds the value on a stack of its own.
class Builder {
public:
    Builder(std::string_view text, const rapidjson::MemoryStream& stream, JsonLimits limits)
        : text_(text), stream_(stream), limits_(limits) {}

    bool Null() { return add(Json{}); }
    bool Bool(bool value) { return add(Json{value}); }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        if (!is_whole(text, length)) return false;
        return add(Json{std::string(text, length)});
    }
    // RapidJSON 1.1.0 leaves exponents out of the text it hands over, so read the input itself.
    bool RawNumber(const char*, rapidjson::SizeType, bool) {
        const std::size_t end = stream_.Tell();
        std::size_t begin = end;
        while (begin > 0 && is_number_character(text_[begin - 1])) --begin;
        return number(text_.substr(begin, end - begin));
    }
    bool StartObject() { return open(Json::object()); }
    bool StartArray() { return open(Json::array()); }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        if (!is_whole(text, length)) return false;
        stack_.back().name.assign(text, length);
        return true;
    }
    bool EndObject(rapidjson::SizeType) {
        const Frame& frame = stack_.back();
        if (const auto duplicate = duplicate_of(frame.members)) {
            return refuse(fmt::format("the member '{}' is there twice", duplicate->substr(0, 64)));
        }
        return close(Json{std::move(stack_.back().members)});
    }
    bool EndArray(rapidjson::SizeType) { return close(Json{std::move(stack_.back().items)}); }

    // Never called with kParseNumbersAsStringsFlag.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }

    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] Json take() { return std::move(root_); }

private:
    struct Frame {
        bool is_object = false;
        std::string name;  // of the member whose value comes next
        Json::Object members;
        Json::Array items;
    };

    bool refuse(std::string what) {
        problem_ = std::move(what);
        return false;
    }

    // RapidJSON 1.1.0 lets the second half of a surrogate pair pass alone, as in "\udc00".
    bool is_whole(const char* text, std::size_t length) {
        return is_utf8({text, length}) || refuse("an unpaired surrogate");
    }

    bool number(std::string_view text) {
        const char* const end = text.data() + text.size();
        if (text.find_first_of(".eE") == std::string_view::npos) {
            std::int64_t integer = 0;
            const auto read = std::from_chars(text.data(), end, integer);
            if (read.ec == std::errc{} && read.ptr == end) return add(Json{integer});
        }
        double real = 0;
        const auto read = std::from_chars(text.data(), end, real);
        if (read.ec == std::errc::result_out_of_range) {
            return refuse("a number outside of the range of a double");
        }
        if (read.ec != std::errc{} || read.ptr != end) return refuse("a number is malformed");
        return add(Json{real});
    }

    bool open(Json empty) {
        if (stack_.size() >= limits_.depth_max) {
            return refuse(fmt::format("nested deeper than {} levels", limits_.depth_max));
        }
        if (!count()) return false;
        Frame& frame = stack_.emplace_back();
        frame.is_object = empty.as_object() != nullptr;
        return true;
    }

    bool close(Json value) {
        stack_.pop_back();
        place(std::move(value));
        return true;
    }

    bool add(Json value) {
        if (!count()) return false;
        place(std::move(value));
        return true;
    }

    bool count() {
        if (++values_ <= limits_.values_max) return true;
        return refuse(fmt::format("more than {} values", limits_.values_max));
    }

    void place(Json value) {
        if (stack_.empty()) {
            root_ = std::move(value);
        } else if (Frame& frame = stack_.back(); frame.is_object) {
            frame.members.emplace_back(std::move(frame.name), std::move(value));
            frame.name.clear();
        } else {
            frame.items.push_back(std::move(value));
        }
    }

    // Constant after construction.
    const std::string_view text_;
    const rapidjson::MemoryStream& stream_;
    const JsonLimits limits_;

    std::vector<Frame> stack_;
    Json root_;
    std::uint64_t values_ = 0;
    std::string problem_;
};

Error malformed(std::size_t at, std::string_view what) {
    while (!what.empty() && what.back() == '.') what.remove_suffix(1);
    return make_error(Errc::invalid_argument,
                      fmt::format("malformed JSON at byte {}: {}", at, what));
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes_max) {
        return make_error(Errc::too_large, fmt::format("the JSON has {} bytes, the limit is {}",
                                                       text.size(), limits.bytes_max));
    }
    // RapidJSON takes a NUL for the end of its input; JSON has none outside of \u0000.
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        return malformed(nul, "a NUL byte");
    }
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    Builder builder(text, stream, limits);
    const rapidjson::ParseResult parsed = reader.Parse<kFlags>(stream, builder);
    if (parsed.IsError()) {
        const std::string_view what =
            builder.problem().empty() ? std::string_view(rapidjson::GetParseError_En(parsed.Code()))
                                      : std::string_view(builder.problem());
        return malformed(parsed.Offset(), what);
    }
    return builder.take();
}

}  // namespace longhaul::wire
