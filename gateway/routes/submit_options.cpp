#include "gateway/routes/submit_options.hpp"

#include "gateway/routes/utf8.hpp"
#include "gateway/routes/wishes.hpp"

#include <algorithm>
#include <charconv>

namespace longhaul::gateway {
namespace {

constexpr Duration kQueueTtlMax = std::chrono::hours(24 * 7);
constexpr std::size_t kKeyBytesMax = 255;
constexpr Duration kBackoffMax = std::chrono::hours(24);

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

constexpr std::string_view kLater[] = {"Invocation-Callback-URL"};
constexpr std::string_view kKnown[] = {
    "Invocation-Timeout",    "Invocation-Queue-TTL", "Invocation-Deadline",
    "Invocation-Not-Before", "Invocation-Retry",     "Invocation-Concurrency-Key",
    "Invocation-Label",      "Invocation-Tenant",
};
// In the order in which the fingerprint has them.
constexpr std::string_view kOfFingerprint[] = {
    "Invocation-Timeout",
    "Invocation-Queue-TTL",
    "Invocation-Deadline",
    "Invocation-Concurrency-Key",
    "Priority",
    "Invocation-Not-Before",
    "Invocation-Retry",
};

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

// The one value of the header, or nothing.
Result<std::optional<std::string_view>> single_header(const net::Request& request,
                                                      std::string_view header) {
    const auto values = request.headers_named(header);
    if (values.size() > 1) return invalid(header, "given more than once");
    if (values.empty()) return std::optional<std::string_view>{};
    return std::optional<std::string_view>{trimmed(values.front())};
}

Result<std::optional<TimePoint>> time_header(const net::Request& request, std::string_view header,
                                             TimePoint now, Duration max) {
    const auto text = single_header(request, header);
    if (!text) return text.error();
    if (!*text) return std::optional<TimePoint>{};
    const auto point = parse_moment(**text, now, max);
    if (!point) return invalid(header, point.error().message);
    return std::optional<TimePoint>{*point};
}

Result<void> read_retry_member(std::string_view name, std::string_view value,
                               SubmitOptions& options) {
    constexpr std::string_view kHeader = "Invocation-Retry";
    if (name == "max_attempts") {
        std::uint32_t count = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), count);
        if (read.ec != std::errc{} || read.ptr != value.data() + value.size() || count < 1 ||
            count > kAttemptsMax)
            return invalid(kHeader, "max_attempts must be 1 … " + std::to_string(kAttemptsMax));
        options.retry_max_attempts = count;
        return {};
    }
    if (name != "backoff")
        return invalid(kHeader,
                       "\"" + std::string(name) + "\" is neither max_attempts nor backoff");
    const auto backoff = parse_duration(value);
    if (!backoff) return invalid(kHeader, "backoff: " + backoff.error().message);
    if (*backoff < Duration::zero() || *backoff > kBackoffMax)
        return invalid(kHeader, "backoff must be 0 … " + format_duration(kBackoffMax));
    options.retry_backoff = *backoff;
    return {};
}

// "max_attempts=3, backoff=2s", or the number of attempts alone.
Result<void> read_retry(const net::Request& request, SubmitOptions& options) {
    const auto text = single_header(request, "Invocation-Retry");
    if (!text) return text.error();
    std::string_view rest = text->value_or(std::string_view{});
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        const std::string_view member = trimmed(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        const std::size_t equals = member.find('=');
        const bool is_number = equals == std::string_view::npos;
        const std::string_view name =
            is_number ? std::string_view("max_attempts") : trimmed(member.substr(0, equals));
        const std::string_view value = is_number ? member : trimmed(member.substr(equals + 1));
        if (auto done = read_retry_member(name, value, options); !done) return done.error();
    }
    return {};
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
        if (auto right = check_label(name, value); !right)
            return invalid(kHeader, right.error().message);
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
    return key_header(request, "Idempotency-Key");
}

Result<SubmitHeaders> parse_submit_headers(const net::Request& request, TimePoint now,
                                           const ApiOptions& limits) {
    SubmitHeaders parsed;
    if (auto names = check_names(request); !names) return names.error();
    auto timeout = duration_header(request, "Invocation-Timeout", limits.timeout_max);
    if (!timeout) return timeout.error();
    auto queue_ttl = duration_header(request, "Invocation-Queue-TTL", kQueueTtlMax);
    if (!queue_ttl) return queue_ttl.error();
    auto deadline = time_header(request, "Invocation-Deadline", now, kDeadlineMax);
    if (!deadline) return deadline.error();
    if (*deadline && **deadline <= now) return invalid("Invocation-Deadline", "is in the past");
    auto not_before = time_header(request, "Invocation-Not-Before", now, limits.not_before_max);
    if (!not_before) return not_before.error();
    if (*deadline && *not_before && **deadline <= **not_before)
        return invalid("Invocation-Deadline", "is not after Invocation-Not-Before");
    if (auto retry = read_retry(request, parsed.options); !retry) return retry.error();
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
    parsed.options.not_before = *not_before;
    parsed.options.idempotency_key = std::move(*key);
    parsed.options.concurrency_key = std::move(*concurrency_key);
    parsed.options.priority = *priority;
    parsed.options.labels = std::move(*labels);
    parsed.options.headers = std::move(*kept);
    if (const auto traceparent = request.header("traceparent"))
        parsed.options.traceparent = std::string(traceparent->substr(0, 128));
    read_preferences(request, limits.wait_max, parsed);
    for (const std::string_view name : kOfFingerprint)
        if (const auto text = request.header(name))
            parsed.options_text += std::string(name) + ":" + std::string(*text) + "\n";
    for (const auto& [name, value] : parsed.options.labels)
        parsed.options_text += "label:" + name + "=" + value + "\n";
    return parsed;
}

}  // namespace longhaul::gateway
