// What a component counts, in plain fields, and how it hands them to the one exporter
// (net/metrics_page.hpp). Names follow Prometheus: base units, `_total`, `_seconds`, `_bytes`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace longhaul {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

// Buckets suit both a submit (100 µs) and a run of three hours.
struct Histogram {
    static constexpr std::array<double, 16> kBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                    0.01,   0.05,    0.25,   1,     5,      30,
                                                    120,    600,     3600,   10800};

    std::array<std::uint64_t, 17> counts{};  // the last is +Inf
    double sum = 0;                          // seconds

    void observe(double seconds);
};

struct MetricSample {
    std::string name;  // "longhaul_submits_total"
    std::string help;
    MetricType type = MetricType::counter;
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
    Histogram histogram{};  // where type is histogram
};

using MetricSamples = std::vector<MetricSample>;

}  // namespace longhaul
