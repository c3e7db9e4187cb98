// What spawn() tells the trampoline: NUL-terminated words, each order its name and its values.
// Internal to process/.
#pragma once

#include "longhaul/process/spawn.hpp"

#include <string>
#include <string_view>

namespace longhaul::process {

// Where the trampoline finds its descriptors: above all that a program may be given.
inline constexpr int kOrdersFd = 20;
inline constexpr int kStatusFd = 21;
inline constexpr int kInheritMax = 15;

struct Orders {
    SpawnRequest request;  // of its descriptors, only `inherit[].as` counts here
    pid_t parent = 0;
};

[[nodiscard]] std::string encode_orders(const SpawnRequest& request, pid_t parent);
[[nodiscard]] Result<Orders> decode_orders(std::string_view text);

}  // namespace longhaul::process
