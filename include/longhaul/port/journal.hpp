// Port: the log of what happened, which is the truth.
//
// One batch is one group commit: everything that a turn of the loop produced, one write, one sync.
// A record is opaque bytes here; its first byte is its version (gateway/ledger/record_codec.hpp).
// Positions number records from 1 without gaps; 0 is "nothing yet".
#pragma once

#include "longhaul/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::port {

using Position = std::uint64_t;

// What opening found. `cut_tail` is set when an unsealed last batch was torn and dropped: none of
// it was acknowledged as sealed, and the range is reported.
struct JournalOpening {
    Position first = 1;  // first position still there
    Position last = 0;   // last durable position
    std::string cut_tail{};
};

class Journal {
public:
    virtual ~Journal() = default;

    // Appends `records` in order; returns the position of the last once all are durable. At most
    // one append is in flight: REQUIRES the former has returned. After any error every later call
    // answers Errc::unavailable: what was written is unknown (I12).
    virtual boost::asio::awaitable<Result<Position>> append(std::vector<std::string> records) = 0;

    // Calls `each(position, record)` for every record at or after `from`, in order, blocking; stops
    // at its first error and returns that. Errc::corrupt names segment and offset; nothing damaged
    // is ever skipped.
    using Visitor = std::function<Result<void>(Position, std::string_view)>;
    [[nodiscard]] virtual Result<void> replay(Position from, const Visitor& each) = 0;

    // May drop whole segments that end before `before`. Never needed for correctness.
    [[nodiscard]] virtual Result<void> trim(Position before) = 0;

    [[nodiscard]] virtual JournalOpening opening() const = 0;
    // Bytes that the journal occupies on disk.
    [[nodiscard]] virtual std::uint64_t bytes() const = 0;
};

}  // namespace longhaul::port
