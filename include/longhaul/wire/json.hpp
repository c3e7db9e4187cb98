// JSON as values, for control messages and documents. Users' payloads are never parsed here.
//
// RapidJSON works behind it (impl/json.cpp): length-bounded, iterative, with limits on depth and
// size before anything is built, duplicate member names refused, UTF-8 checked, so that no input
// can exhaust the stack or read past its end.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace longhaul::wire {

struct JsonLimits {
    std::uint32_t depth_max = 32;
    std::uint64_t bytes_max = 8u << 20;
    std::uint64_t values_max = 1'000'000;  // of any kind: each takes 40 bytes once parsed
};

class Json {
public:
    using Array = std::vector<Json>;
    using Member = std::pair<std::string, Json>;
    using Object = std::vector<Member>;  // in the order written

    Json() = default;  // null
    Json(std::nullptr_t) {}
    Json(bool value) : value_(value) {}
    Json(int value) : value_(std::int64_t{value}) {}
    Json(unsigned value) : value_(std::int64_t{value}) {}
    Json(std::int64_t value) : value_(value) {}
    Json(std::uint64_t value);  // above 2^63-1: a double
    Json(double value) : value_(value) {}
    Json(const char* value) : value_(std::string(value)) {}
    Json(std::string_view value) : value_(std::string(value)) {}
    Json(std::string value) : value_(std::move(value)) {}
    Json(Array value) : value_(std::move(value)) {}
    Json(Object value) : value_(std::move(value)) {}

    [[nodiscard]] static Json object() { return Json(Object{}); }
    [[nodiscard]] static Json array() { return Json(Array{}); }

    [[nodiscard]] bool is_null() const { return value_.index() == 0; }
    [[nodiscard]] const bool* as_bool() const { return std::get_if<bool>(&value_); }
    [[nodiscard]] const std::int64_t* as_integer() const {
        return std::get_if<std::int64_t>(&value_);
    }
    [[nodiscard]] const std::string* as_string() const { return std::get_if<std::string>(&value_); }
    [[nodiscard]] const Array* as_array() const { return std::get_if<Array>(&value_); }
    [[nodiscard]] const Object* as_object() const { return std::get_if<Object>(&value_); }
    [[nodiscard]] bool is_number() const;
    [[nodiscard]] double number() const;  // REQUIRES is_number()

    // The member, or nullptr where this is no object or has none of that name.
    [[nodiscard]] const Json* find(std::string_view name) const;
    // The member, or null.
    [[nodiscard]] const Json& operator[](std::string_view name) const;

    // Sets or adds a member. REQUIRES an object (or null, which becomes one). Returns *this.
    Json& set(std::string_view name, Json value);
    // REQUIRES an array (or null, which becomes one).
    void push(Json value);

    [[nodiscard]] std::string dump() const;
    [[nodiscard]] std::string dump_pretty() const;

    friend bool operator==(const Json&, const Json&) = default;

private:
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

// Errc::invalid_argument: "malformed JSON at byte 17: …", or which limit was passed.
[[nodiscard]] Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

// Reads one object member by member and remembers the first problem: a wrong type, a value out of
// bounds, a missing or (finish_strict) an unknown member, each by its name.
class ObjectReader {
public:
    // `where` prefixes the names in messages: "retry" gives "retry.max_attempts".
    ObjectReader(const Json& object, std::string_view where = {});

    // Missing or null members leave `out` untouched. Each returns whether the member was there.
    bool text(std::string_view name, std::string& out);
    bool integer(std::string_view name, std::int64_t& out, std::int64_t min, std::int64_t max);
    template <class Integer>
    bool number(std::string_view name, Integer& out, std::int64_t min, std::int64_t max) {
        std::int64_t value = 0;
        const bool there = integer(name, value, min, max);
        if (there && !failed()) out = static_cast<Integer>(value);
        return there;
    }
    bool real(std::string_view name, double& out);
    bool boolean(std::string_view name, bool& out);
    bool duration(std::string_view name, Duration& out, Duration min, Duration max);  // "15m" or s
    bool bytes(std::string_view name, std::uint64_t& out, std::uint64_t min, std::uint64_t max);
    bool texts(std::string_view name, std::vector<std::string>& out);
    bool text_map(std::string_view name, std::vector<std::pair<std::string, std::string>>& out);
    // The member as it is, marked as known; nullptr if missing or null.
    [[nodiscard]] const Json* member(std::string_view name);
    void require(std::string_view name);
    void fail(std::string_view name, std::string_view what);

    [[nodiscard]] bool failed() const { return !problem_.empty(); }
    [[nodiscard]] Result<void> finish() const;  // unknown members are ignored (between components)
    [[nodiscard]] Result<void> finish_strict() const;  // unknown members are refused (public API)

private:
    [[nodiscard]] std::string path(std::string_view name) const;

    const Json& object_;
    std::string where_;
    std::vector<std::string> known_;
    std::string problem_;
};

}  // namespace longhaul::wire
