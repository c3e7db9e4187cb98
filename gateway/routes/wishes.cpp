#include "gateway/routes/wishes.hpp"

#include <algorithm>
#include <cctype>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kLabelNameMax = 63;
constexpr std::size_t kLabelValueMax = 255;

bool is_label_name(std::string_view name) {
    const auto is_inner = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    };
    return !name.empty() && name.size() <= kLabelNameMax && std::ranges::all_of(name, is_inner) &&
           std::isalnum(static_cast<unsigned char>(name.front()));
}

}  // namespace

Result<TimePoint> parse_moment(std::string_view text, TimePoint now, Duration max) {
    auto moment = parse_rfc3339(text);
    if (!moment) {
        const auto duration = parse_duration(text);
        if (!duration)
            return make_error(Errc::invalid_argument,
                              "is neither an RFC 3339 time nor a duration such as 90s or 3h");
        if (*duration <= Duration::zero())
            return make_error(Errc::invalid_argument, "must be more than 0");
        moment = now + std::min<Duration>(*duration, max + std::chrono::seconds(1));
    }
    if (*moment > now + max)
        return make_error(Errc::invalid_argument,
                          "lies further ahead than the limit of " + format_duration(max));
    return moment;
}

Result<void> check_label(const std::string& name, const std::string& value) {
    if (!is_label_name(name))
        return make_error(Errc::invalid_argument,
                          "the name \"" + name + "\" is not [a-z0-9][a-z0-9_.-]{0,62}");
    if (value.size() > kLabelValueMax)
        return make_error(Errc::invalid_argument, "the value of " + name + " is longer than " +
                                                      std::to_string(kLabelValueMax) + " bytes");
    return {};
}

}  // namespace longhaul::gateway
