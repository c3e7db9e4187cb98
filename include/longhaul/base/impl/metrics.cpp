#include "longhaul/base/metrics.hpp"

#include <algorithm>

namespace longhaul {

void Histogram::observe(double seconds) {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
    ++counts[static_cast<std::size_t>(bound - kBounds.begin())];
    sum += seconds;
}

}  // namespace longhaul
