#include "longhaul/base/config.hpp"
#include "longhaul/wire/json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul::wire {

ObjectReader::ObjectReader(const Json& object, std::string_view where)
    : object_(object), where_(where) {
    if (!object.as_object()) {
        problem_ = where_.empty() ? "must be a JSON object" : where_ + " must be an object";
    }
}

bool ObjectReader::text(std::string_view name, std::string& out) {
    const Json* found = member(name);
    if (!found) return false;
    if (const std::string* value = found->as_string()) {
        out = *value;
    } else {
        fail(name, "must be a string");
    }
    return true;
}

bool ObjectReader::integer(std::string_view name, std::int64_t& out, std::int64_t min,
                           std::int64_t max) {
    const Json* found = member(name);
    if (!found) return false;
    const std::int64_t* value = found->as_integer();
    if (!value) {
        fail(name, "must be a whole number");
    } else if (*value < min || *value > max) {
        fail(name, fmt::format("must be between {} and {}, is {}", min, max, *value));
    } else {
        out = *value;
    }
    return true;
}

bool ObjectReader::real(std::string_view name, double& out) {
    const Json* found = member(name);
    if (!found) return false;
    if (found->is_number()) {
        out = found->number();
    } else {
        fail(name, "must be a number");
    }
    return true;
}

bool ObjectReader::boolean(std::string_view name, bool& out) {
    const Json* found = member(name);
    if (!found) return false;
    if (const bool* value = found->as_bool()) {
        out = *value;
    } else {
        fail(name, "must be true or false");
    }
    return true;
}

bool ObjectReader::duration(std::string_view name, Duration& out, Duration min, Duration max) {
    const Json* found = member(name);
    if (!found) return false;
    const std::string* text = found->as_string();
    if (!text && !found->as_integer()) {
        fail(name, "must be a duration such as \"15m\", or whole seconds");
        return true;
    }
    const std::string spelled = text ? *text : found->dump();
    const auto parsed = parse_duration(spelled);
    if (!parsed) {
        fail(name, "must be a duration: " + parsed.error().message);
    } else if (*parsed < min || *parsed > max) {
        fail(name, fmt::format("must be between {} and {}, is {}", format_duration(min),
                               format_duration(max), spelled));
    } else {
        out = *parsed;
    }
    return true;
}

bool ObjectReader::bytes(std::string_view name, std::uint64_t& out, std::uint64_t min,
                         std::uint64_t max) {
    const Json* found = member(name);
    if (!found) return false;
    const std::string* text = found->as_string();
    if (!text && !found->as_integer()) {
        fail(name, "must be a size such as \"6MiB\", or whole bytes");
        return true;
    }
    const std::string spelled = text ? *text : found->dump();
    const auto parsed = parse_bytes(spelled);
    if (!parsed) {
        fail(name, "must be a size: " + parsed.error().message);
    } else if (*parsed < min || *parsed > max) {
        fail(name, fmt::format("must be between {} and {}, is {}", format_bytes(min),
                               format_bytes(max), spelled));
    } else {
        out = *parsed;
    }
    return true;
}

bool ObjectReader::texts(std::string_view name, std::vector<std::string>& out) {
    const Json* found = member(name);
    if (!found) return false;
    const Json::Array* items = found->as_array();
    if (!items) {
        fail(name, "must be an array of strings");
        return true;
    }
    std::vector<std::string> read;
    read.reserve(items->size());
    for (const Json& item : *items) {
        const std::string* text = item.as_string();
        if (!text) {
            fail(name, "must be an array of strings");
            return true;
        }
        read.push_back(*text);
    }
    out = std::move(read);
    return true;
}

bool ObjectReader::text_map(std::string_view name,
                            std::vector<std::pair<std::string, std::string>>& out) {
    const Json* found = member(name);
    if (!found) return false;
    const Json::Object* members = found->as_object();
    if (!members) {
        fail(name, "must be an object whose members are strings");
        return true;
    }
    std::vector<std::pair<std::string, std::string>> read;
    read.reserve(members->size());
    for (const auto& [key, value] : *members) {
        const std::string* text = value.as_string();
        if (!text) {
            fail(name, fmt::format("must be an object whose members are strings; '{}' is none",
                                   std::string_view(key).substr(0, 64)));
            return true;
        }
        read.emplace_back(key, *text);
    }
    out = std::move(read);
    return true;
}

const Json* ObjectReader::member(std::string_view name) {
    known_.emplace_back(name);
    const Json* found = object_.find(name);
    return found && !found->is_null() ? found : nullptr;
}

void ObjectReader::require(std::string_view name) {
    if (!member(name)) fail(name, "is missing");
}

void ObjectReader::fail(std::string_view name, std::string_view what) {
    if (failed()) return;
    problem_ = path(name) + " " + std::string(what);
}

Result<void> ObjectReader::finish() const {
    if (failed()) return make_error(Errc::invalid_argument, problem_);
    return {};
}

Result<void> ObjectReader::finish_strict() const {
    if (failed()) return make_error(Errc::invalid_argument, problem_);
    for (const auto& [name, value] : *object_.as_object()) {
        if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
            return make_error(
                Errc::invalid_argument,
                "unknown member '" + path(std::string_view(name).substr(0, 64)) + "'");
        }
    }
    return {};
}

std::string ObjectReader::path(std::string_view name) const {
    return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
}

}  // namespace longhaul::wire
