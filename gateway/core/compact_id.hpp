// An invocation's id in 16 bytes: a UUIDv7 as its bits, any other as a pointer to its text.
//
// Equality, order and the text are those of the id. The hash is the same in every process.
#pragma once

#include "longhaul/base/id.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace longhaul::gateway {

class CompactId {
public:
    explicit CompactId(const InvocationId& id);
    CompactId(const CompactId&) = delete;
    CompactId& operator=(const CompactId&) = delete;
    ~CompactId();

    [[nodiscard]] InvocationId whole() const;
    [[nodiscard]] std::size_t hash() const;
    friend bool operator==(const CompactId& left, const CompactId& right);
    friend bool operator<(const CompactId& left, const CompactId& right);

private:
    [[nodiscard]] bool is_text() const { return high_ == 0; }

    std::uint64_t high_ = 0;  // never 0 of a UUIDv7: its version is in it
    union {
        std::uint64_t low_;
        const std::string* text_;  // owned
    };
};

}  // namespace longhaul::gateway
