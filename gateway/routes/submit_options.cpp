#include "gateway/routes/submit_options.hpp"

#include "gateway/routes/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace longhaul::gateway {
namespace {

constexpr Duration kQueueTtlMax = std::chrono::hours(24 * 7);
constexpr std::size_t kKeyBytesMax = 255;
constexpr std::size_t kLabelsMax = 16;
constexpr std::size_t kLabelNameMax = 63;
constexpr std::size_t kLabelValueMax = 255;

// Not kept for the function, beside Invocation-* and Longhaul-*: what speaks of the message, the
// connection or the caller's HTTP client, what we have read, and what proves who the caller is.
constexpr std::string_view kNotKept[] = {
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "prefer",
    "priority",
    "set-cookie",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
};

constexpr std::string_view kLater[] = {"Invocation-Not-Before", "Invocation-Retry",
                                       "Invocation-Callback-URL"};
constexpr std::string_view kKnown[] = {"Invocation-Timeout",  "Invocation-Queue-TTL",
                                       "Invocation-Deadline", "Invocation-Label",
                                       "Invocation-Tenant",   "Invocation-Concurrency-Key"};

Error invalid(std::string_view header, const std::string& why) {
    return make_error(Errc::invalid_argument, std::string(header) + ": " + why, "invalid-header");
}

bool same_name(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

bool starts_with_invocation(std::string_view name) {
    constexpr std::string_view kPrefix = "invocation-";
    return name.size() > kPrefix.size() && same_name(name.substr(0, kPrefix.size()), kPrefix);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_label_name(std::string_view name) {
    const auto is_inner = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    };
    return !name.empty() && name.size() <= kLabelNameMax && std::ranges::all_of(name, is_inner) &&
           std::isalnum(static_cast<unsigned char>(name.front()));
}

// Every Invocation-* header is known, or is refused by its name: never ignored.
Result<void> check_names(const net::Request& request) {
    for (const auto& [name, value] : request.headers) {
        for (const std::string_view later : kLater)
            if (same_name(name, later))
                return make_error(
                    Errc::unsupported,
                    "the header " + std::string(later) + " is not available in this version",
                    "not-available");
        if (!starts_with_invocation(name)) continue;
        const bool known = std::ranges::any_of(
            kKnown, [&](std::string_view candidate) { return same_name(name, candidate); });
        if (!known) return invalid(name, "there is no such header");
    }
    return {};
}

Result<std::optional<Duration>> duration_header(const net::Request& request,
                                                std::string_view header, Duration max) {
    const auto text = request.header(header);
    if (!text) return std::optional<Duration>{};
    if (request.headers_named(header).size() > 1) return invalid(header, "given more than once");
    const auto duration = parse_duration(*text);
    if (!duration) return invalid(header, duration.error().message);
    if (*duration <= Duration::zero()) return invalid(header, "must be more than 0");
    if (*duration > max)
        return invalid(
            header, format_duration(*duration) + " is above the limit of " + format_duration(max));
    return std::optional<Duration>{*duration};
}

Result<std::optional<TimePoint>> deadline_header(const net::Request& request, TimePoint now) {
    constexpr std::string_view kHeader = "Invocation-Deadline";
    const auto text = request.header(kHeader);
    if (!text) return std::optional<TimePoint>{};
    if (request.headers_named(kHeader).size() > 1) return invalid(kHeader, "given more than once");
    if (const auto point = parse_rfc3339(*text)) {
        if (*point <= now) return invalid(kHeader, "is in the past");
        return std::optional<TimePoint>{*point};
    }
    const auto duration = parse_duration(*text);
    if (!duration)
        return invalid(kHeader, "is neither an RFC 3339 time nor a duration such as 90s or 3h");
    if (*duration <= Duration::zero()) return invalid(kHeader, "must be more than 0");
    return std::optional<TimePoint>{now + *duration};
}

// "" = not given.
Result<std::string> key_header(const net::Request& request, std::string_view name) {
    const auto values = request.headers_named(name);
    if (values.empty()) return std::string();
    if (values.size() > 1) return invalid(name, "given more than once");
    std::string_view key = trimmed(values.front());
    // A structured-field string is quoted; bare is accepted as well.
    if (key.size() >= 2 && key.front() == '"' && key.back() == '"')
        key = key.substr(1, key.size() - 2);
    if (key.find('"') != std::string_view::npos)
        return invalid(name, "holds a quote that is not closed");
    if (key.empty()) return invalid(name, "is empty");
    if (key.size() > kKeyBytesMax)
        return invalid(name, "is longer than " + std::to_string(kKeyBytesMax) + " bytes");
    for (const unsigned char character : key)
        if (character < 0x20 || character > 0x7e)
            return invalid(name, "holds a character that is not printable ASCII");
    return std::string(key);
}

// RFC 9218: "u=0" is the most urgent, "u=7" can wait. Other members are for others on the way and
// are passed over, as it asks. An urgency that is none is refused.
Result<std::uint8_t> priority_header(const net::Request& request) {
    constexpr std::string_view kHeader = "Priority";
    std::uint8_t priority = SubmitOptions{}.priority;
    for (std::string_view header : request.headers_named(kHeader)) {
        while (!header.empty()) {
            const std::size_t comma = header.find(',');
            const std::string_view member = trimmed(header.substr(0, comma));
            header =
                comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
            if (!member.starts_with("u=")) continue;
            if (member.size() != 3 || member[2] < '0' || member[2] > '7')
                return invalid(kHeader, "u is not a number from 0 (most urgent) to 7");
            priority = static_cast<std::uint8_t>(member[2] - '0');
        }
    }
    return priority;
}

Result<std::vector<std::pair<std::string, std::string>>> label_headers(
    const net::Request& request) {
    constexpr std::string_view kHeader = "Invocation-Label";
    std::vector<std::pair<std::string, std::string>> labels;
    for (const std::string_view text : request.headers_named(kHeader)) {
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return invalid(kHeader, "is not of the form name=value");
        std::string name{trimmed(text.substr(0, equals))};
        std::string value{trimmed(text.substr(equals + 1))};
        if (!is_label_name(name))
            return invalid(kHeader, "the name \"" + name + "\" is not [a-z0-9][a-z0-9_.-]{0,62}");
        if (value.size() > kLabelValueMax)
            return invalid(kHeader, "the value of " + name + " is longer than " +
                                        std::to_string(kLabelValueMax) + " bytes");
        for (const auto& [known, other] : labels)
            if (known == name) return invalid(kHeader, "the label " + name + " is given twice");
        labels.emplace_back(std::move(name), std::move(value));
    }
    if (labels.size() > kLabelsMax)
        return invalid(kHeader, "more than " + std::to_string(kLabelsMax) + " labels");
    std::ranges::sort(labels);
    return labels;
}

std::string lower_case(std::string_view name) {
    std::string lower(name);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return lower;
}

// Named by the Connection header: for this hop alone (RFC 9110, 7.6.1).
bool is_of_this_hop(const net::Request& request, std::string_view name) {
    for (std::string_view options : request.headers_named("Connection")) {
        while (!options.empty()) {
            const std::size_t comma = options.find(',');
            if (same_name(trimmed(options.substr(0, comma)), name)) return true;
            options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
        }
    }
    return false;
}

bool is_kept(const net::Request& request, std::string_view name) {
    return std::ranges::find(kNotKept, name) == std::end(kNotKept) &&
           !name.starts_with("invocation-") && !name.starts_with("longhaul-") &&
           !is_of_this_hop(request, name);
}

// The caller's own headers, by lower-case name, repeated ones joined as RFC 9110 says.
Result<std::vector<std::pair<std::string, std::string>>> kept_headers(const net::Request& request,
                                                                      const ApiOptions& limits) {
    std::vector<std::pair<std::string, std::string>> kept;
    std::uint64_t bytes = 0;
    for (const auto& [given, value] : request.headers) {
        std::string name = lower_case(given);
        if (!is_kept(request, name)) continue;
        bytes += name.size() + value.size();
        const auto known =
            std::ranges::find(kept, name, &std::pair<std::string, std::string>::first);
        if (known != kept.end())
            known->second += ", " + valid_utf8(value);
        else
            kept.emplace_back(std::move(name), valid_utf8(value));
        if (kept.size() > limits.headers_max)
            return invalid(given, "more than " + std::to_string(limits.headers_max) +
                                      " headers for the function (limits.headers_max)");
        if (bytes > limits.headers_bytes_max)
            return invalid(given, "the headers for the function have more than " +
                                      std::to_string(limits.headers_bytes_max) +
                                      " bytes (limits.headers_bytes_max)");
    }
    return kept;
}

// RFC 7240: preferences that cannot be honoured are ignored, as it asks.
void read_preferences(const net::Request& request, Duration wait_max, SubmitHeaders& out) {
    for (std::string_view header : request.headers_named("Prefer")) {
        while (!header.empty()) {
            const std::size_t comma = header.find(',');
            const std::string_view preference = trimmed(header.substr(0, comma));
            header =
                comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
            if (same_name(preference, "respond-async")) out.respond_async = true;
            if (preference.size() > 5 && same_name(preference.substr(0, 5), "wait=")) {
                const auto duration = parse_duration(preference.substr(5));
                if (duration) out.wait = std::min(*duration, wait_max);
            }
        }
    }
}

}  // namespace

Result<std::string> idempotency_key_of(const net::Request& request) {
    constexpr std::string_view kHeader = "Idempotency-Key";
    const auto values = request.headers_named(kHeader);
    if (values.empty()) return std::string();
    if (values.size() > 1) return invalid(kHeader, "given more than once");
    std::string_view key = trimmed(values.front());
    // A structured-field string is quoted; bare is accepted as well.
    if (key.size() >= 2 && key.front() == '"' && key.back() == '"')
        key = key.substr(1, key.size() - 2);
    if (key.find('"') != std::string_view::npos)
        return invalid(kHeader, "holds a quote that is not closed");
    if (key.empty()) return invalid(kHeader, "is empty");
    if (key.size() > kKeyBytesMax)
        return invalid(kHeader, "is longer than " + std::to_string(kKeyBytesMax) + " bytes");
    for (const unsigned char character : key)
        if (character < 0x20 || character > 0x7e)
            return invalid(kHeader, "holds a character that is not printable ASCII");
    return std::string(key);
}

Result<SubmitHeaders> parse_submit_headers(const net::Request& request, TimePoint now,
                                           const ApiOptions& limits) {
    SubmitHeaders parsed;
    if (auto names = check_names(request); !names) return names.error();
    auto timeout = duration_header(request, "Invocation-Timeout", limits.timeout_max);
    if (!timeout) return timeout.error();
    auto queue_ttl = duration_header(request, "Invocation-Queue-TTL", kQueueTtlMax);
    if (!queue_ttl) return queue_ttl.error();
    auto deadline = deadline_header(request, now);
    if (!deadline) return deadline.error();
    auto key = key_header(request, "Idempotency-Key");
    if (!key) return key.error();
    auto concurrency_key = key_header(request, "Invocation-Concurrency-Key");
    if (!concurrency_key) return concurrency_key.error();
    auto priority = priority_header(request);
    if (!priority) return priority.error();
    auto labels = label_headers(request);
    if (!labels) return labels.error();
    auto kept = kept_headers(request, limits);
    if (!kept) return kept.error();

    parsed.options.timeout = *timeout;
    parsed.options.queue_ttl = *queue_ttl;
    parsed.options.deadline = *deadline;
    parsed.options.idempotency_key = std::move(*key);
    parsed.options.concurrency_key = std::move(*concurrency_key);
    parsed.options.priority = *priority;
    parsed.options.labels = std::move(*labels);
    parsed.options.headers = std::move(*kept);
    if (const auto traceparent = request.header("traceparent"))
        parsed.options.traceparent = std::string(traceparent->substr(0, 128));
    read_preferences(request, limits.wait_max, parsed);
    for (const std::string_view name :
         {"Invocation-Timeout", "Invocation-Queue-TTL", "Invocation-Deadline",
          "Invocation-Concurrency-Key", "Priority"})
        if (const auto text = request.header(name))
            parsed.options_text += std::string(name) + ":" + std::string(*text) + "\n";
    for (const auto& [name, value] : parsed.options.labels)
        parsed.options_text += "label:" + name + "=" + value + "\n";
    return parsed;
}

}  // namespace longhaul::gateway
