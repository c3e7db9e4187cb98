// The values of the view's rows, but for whole invocations (record_codec.hpp). Their layout goes
// with that of the keys (view_keys.hpp). Decoding answers Errc::corrupt where bytes do not fit.
#pragma once

#include "gateway/ledger/view.hpp"

#include <string>
#include <string_view>

namespace longhaul::gateway::rows {

[[nodiscard]] std::string encode_number(std::uint64_t value);
[[nodiscard]] Result<std::uint64_t> decode_number(std::string_view bytes);

[[nodiscard]] std::string encode_time(TimePoint value);
[[nodiscard]] Result<TimePoint> decode_time(std::string_view bytes);

[[nodiscard]] std::string encode_limits(const RunLimits& limits);
[[nodiscard]] Result<RunLimits> decode_limits(std::string_view bytes);

// REQUIRES function.current.
[[nodiscard]] std::string encode_function(const StoredFunction& function);
[[nodiscard]] Result<StoredFunction> decode_function(std::string_view bytes);

[[nodiscard]] std::string encode_key(const StoredKey& key);
[[nodiscard]] Result<StoredKey> decode_key(std::string_view bytes);

[[nodiscard]] std::string encode_history(const HistoryEntry& entry);
[[nodiscard]] Result<HistoryEntry> decode_history(std::string_view bytes);

// What a record says in an invocation's history, which stands as `invocation` after it.
[[nodiscard]] HistoryEntry history_entry(const Record& record, const Invocation& invocation);

}  // namespace longhaul::gateway::rows
