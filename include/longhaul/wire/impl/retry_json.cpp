#include "longhaul/wire/impl/retry_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul::wire {
namespace {

constexpr Duration kBackoffMax = std::chrono::hours(24);

Result<void> finish(const ObjectReader& reader, bool strict) {
    return strict ? reader.finish_strict() : reader.finish();
}

void read_real(ObjectReader& reader, std::string_view name, double min, double max, double& out) {
    double value = out;
    if (!reader.real(name, value)) return;
    if (!(value >= min && value <= max))
        reader.fail(name, fmt::format("must be {} … {}", min, max));
    out = value;
}

// "lost" among the others is the same as on_lost.
void read_reasons(ObjectReader& reader, ReasonSet& out) {
    std::vector<std::string> names;
    if (reader.texts("on", names)) {
        out = 0;
        for (const std::string& name : names) {
            const auto reason = failure_reason_from(name);
            if (reason && has(kRetryableReasons, *reason))
                out |= set_of(*reason);
            else
                reader.fail("on", "has \"" + name +
                                      "\", which is none of error, exit, signal, oom, load, "
                                      "timeout, lost");
        }
    }
    bool on_lost = false;
    if (!reader.boolean("on_lost", on_lost)) return;
    out &= ~set_of(FailureReason::lost);
    if (on_lost) out |= set_of(FailureReason::lost);
}

Result<void> read_budget(const Json& budget, bool strict, RetrySpec& out) {
    ObjectReader reader(budget, "retry.budget");
    read_real(reader, "ratio", 0, 10, out.budget_ratio);
    reader.number("per_minute", out.budget_per_minute, 0, 1'000'000);
    return finish(reader, strict);
}

}  // namespace

Json retry_json(const RetrySpec& retry) {
    Json on = Json::array();
    for (int number = 1; number <= static_cast<int>(FailureReason::queue_ttl); ++number) {
        const auto reason = static_cast<FailureReason>(number);
        if (has(retry.on, reason) && reason != FailureReason::lost) on.push(to_string(reason));
    }
    Json budget = Json::object();
    budget.set("ratio", retry.budget_ratio).set("per_minute", retry.budget_per_minute);
    return Json::object()
        .set("max_attempts", retry.max_attempts)
        .set("backoff", format_duration(retry.backoff))
        .set("backoff_max", format_duration(retry.backoff_max))
        .set("multiplier", retry.multiplier)
        .set("jitter", retry.jitter)
        .set("on", std::move(on))
        .set("on_lost", has(retry.on, FailureReason::lost))
        .set("budget", std::move(budget));
}

Result<void> read_retry(const Json& retry, bool strict, RetrySpec& out) {
    ObjectReader reader(retry, "retry");
    reader.number("max_attempts", out.max_attempts, 1, kAttemptsMax);
    reader.duration("backoff", out.backoff, Duration::zero(), kBackoffMax);
    if (!reader.duration("backoff_max", out.backoff_max, Duration::zero(), kBackoffMax))
        out.backoff_max = std::max(out.backoff, out.backoff_max);
    else if (out.backoff_max < out.backoff)
        reader.fail("backoff_max", "must not be less than retry.backoff");
    read_real(reader, "multiplier", 1, 10, out.multiplier);
    read_real(reader, "jitter", 0, 1, out.jitter);
    read_reasons(reader, out.on);
    if (const Json* budget = reader.member("budget"))
        if (auto done = read_budget(*budget, strict, out); !done) return done;
    return finish(reader, strict);
}

}  // namespace longhaul::wire
