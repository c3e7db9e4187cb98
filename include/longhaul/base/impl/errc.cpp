#include "longhaul/base/errc.hpp"

namespace longhaul {

std::string_view to_string(Errc code) {
    switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::mismatch: return "mismatch";
    case Errc::too_large: return "too_large";
    case Errc::overloaded: return "overloaded";
    case Errc::unavailable: return "unavailable";
    case Errc::timed_out: return "timed_out";
    case Errc::unreachable: return "unreachable";
    case Errc::refused: return "refused";
    case Errc::stale: return "stale";
    case Errc::corrupt: return "corrupt";
    case Errc::io_failed: return "io_failed";
    case Errc::unsupported: return "unsupported";
    case Errc::cancelled: return "cancelled";
    case Errc::gone: return "gone";
    case Errc::internal: return "internal";
    case Errc::precondition: return "precondition";
    }
    return "internal";
}

}  // namespace longhaul
