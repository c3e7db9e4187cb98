// The layout of the view's keys: which row means what. Version 2 (which added `r` and `c`); a
// change needs a new version.
//
//   z                                    the layout's version
//   p                                    the applied position
//   o shard                              the owner term of a shard
//   m                                    the run limits
//   f tenant function                    a function: current spec, paused, updated_at
//   v tenant function updated_at version a version of a function
//   l id                                 a live invocation, as it stands
//   i id                                 an ended invocation
//   h id revision                        a line of its history
//   s tenant state created_at id         ended, by state;            one row at the end
//   n tenant function state created_at id  ended, by function;       one row at the end
//   a tenant key value state created_at id -> function  ended, by label; one row per label
//   e ended_at id                        ended, by end
//   k tenant function key                an idempotency key
//   b file id                            a body-store file and who refers to it
//   r id                                 -> as what an ended invocation was retried last
//   c                                    how many ended invocations there are
//   g id                                 the trace that a purged invocation leaves
//   x time key                           when a row of `g` or `k` may be dropped
//
// Texts end in 00 01 with 00 escaped as 00 ff, numbers are big-endian, so that bytes sort as
// values; an id or a key at the very end is plain.
#pragma once

#include "gateway/ledger/key_value_store.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <string>
#include <string_view>

namespace longhaul::gateway::keys {

inline constexpr char kVersion = 'z';
inline constexpr char kPosition = 'p';
inline constexpr char kOwnerTerm = 'o';
inline constexpr char kLimits = 'm';
inline constexpr char kFunction = 'f';
inline constexpr char kFunctionVersion = 'v';
inline constexpr char kLive = 'l';
inline constexpr char kEnded = 'i';
inline constexpr char kHistory = 'h';
inline constexpr char kByState = 's';
inline constexpr char kByFunction = 'n';
inline constexpr char kByLabel = 'a';
inline constexpr char kByEnd = 'e';
inline constexpr char kIdempotency = 'k';
inline constexpr char kFile = 'b';
inline constexpr char kRetried = 'r';
inline constexpr char kEndedCount = 'c';
inline constexpr char kGone = 'g';
inline constexpr char kExpiry = 'x';

// Builds one key, part by part.
class KeyBuilder {
public:
    explicit KeyBuilder(char table) : key_(1, table) {}

    KeyBuilder& text(std::string_view value);
    KeyBuilder& number(std::uint64_t value);  // 8 bytes
    KeyBuilder& time(TimePoint value);        // 8 bytes; any time, also before 1970
    KeyBuilder& state(State value);           // 1 byte
    KeyBuilder& tail(std::string_view value);

    [[nodiscard]] std::string take() { return std::move(key_); }

private:
    std::string key_;
};

[[nodiscard]] std::string live(const InvocationId& id);
[[nodiscard]] std::string ended(const InvocationId& id);
[[nodiscard]] std::string gone(const InvocationId& id);
[[nodiscard]] std::string retried(const InvocationId& id);
[[nodiscard]] std::string history_prefix(const InvocationId& id);
[[nodiscard]] std::string history(const InvocationId& id, std::uint32_t revision);
[[nodiscard]] std::string function(const TenantName& tenant, const FunctionName& name);
[[nodiscard]] std::string function_versions_prefix(const TenantName& tenant,
                                                   const FunctionName& name);
[[nodiscard]] std::string idempotency(const TenantName& tenant, const FunctionName& name,
                                      std::string_view key);
[[nodiscard]] std::string file_prefix(std::string_view file);
[[nodiscard]] std::string file(std::string_view file, const InvocationId& id);

[[nodiscard]] std::string by_end(TimePoint ended_at, const InvocationId& id);

// The part of `s`, `n` and `a` keys before created_at.
[[nodiscard]] std::string by_state_prefix(const TenantName& tenant, State state);
[[nodiscard]] std::string by_function_prefix(const TenantName& tenant, const FunctionName& name,
                                             State state);
[[nodiscard]] std::string by_label_prefix(const TenantName& tenant, std::string_view label,
                                          std::string_view value, State state);
[[nodiscard]] std::string with_time(std::string prefix, TimePoint created_at,
                                    const InvocationId& id);

// All keys that begin with `prefix`, which is not empty and not all ff.
[[nodiscard]] KeyRange all_of(std::string prefix);

// The parts of a key, in order. False, and nothing is taken, where the bytes do not fit.
[[nodiscard]] bool take_text(std::string_view& key, std::string& value);
[[nodiscard]] bool take_time(std::string_view& key, TimePoint& value);

inline constexpr std::size_t kTimeBytes = 8;

}  // namespace longhaul::gateway::keys
