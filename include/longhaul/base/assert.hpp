// LH_ASSERT checks our own logic, in release builds too. Input from network, disk or configuration
// is validated, never asserted.
#pragma once

namespace longhaul {

// Prints the condition and the place to stderr and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace longhaul

#define LH_ASSERT(condition) \
    ((condition) ? void(0) : ::longhaul::assertion_failed(#condition, __FILE__, __LINE__))
