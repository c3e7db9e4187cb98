#include "longhaul/system/subject.hpp"

#include <algorithm>

namespace longhaul::system {

namespace {

// Cuts the first token off `rest`.
std::string_view take_token(std::string_view& rest, bool& more) {
    const auto dot = rest.find('.');
    more = dot != std::string_view::npos;
    const auto token = rest.substr(0, dot);
    rest = more ? rest.substr(dot + 1) : std::string_view{};
    return token;
}

bool is_plain_token(std::string_view token) {
    return !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
        const auto code = static_cast<unsigned char>(c);
        return code > 0x20 && code != 0x7f && c != '*' && c != '>';
    });
}

}  // namespace

bool is_subject(std::string_view subject) {
    for (bool more = true; more;) {
        if (!is_plain_token(take_token(subject, more))) {
            return false;
        }
    }
    return true;
}

bool is_pattern(std::string_view pattern) {
    for (bool more = true; more;) {
        const auto token = take_token(pattern, more);
        const bool is_rest = token == ">" && !more;
        if (token != "*" && !is_rest && !is_plain_token(token)) {
            return false;
        }
    }
    return true;
}

bool subject_matches(std::string_view pattern, std::string_view subject) {
    for (bool more_pattern = true, more_subject = true; more_pattern;) {
        if (!more_subject) {
            return false;
        }
        const auto wanted = take_token(pattern, more_pattern);
        if (wanted == ">") {
            return true;
        }
        const auto found = take_token(subject, more_subject);
        if (wanted != "*" && wanted != found) {
            return false;
        }
        if (!more_pattern) {
            return !more_subject;
        }
    }
    return false;
}

}  // namespace longhaul::system
