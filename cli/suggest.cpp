#include "cli/suggest.hpp"

#include <algorithm>

namespace longhaul::cli {
namespace {

// Letters to insert, delete, replace or swap (with the neighbour) between the two.
std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::vector<std::size_t>> cost(left.size() + 1,
                                               std::vector<std::size_t>(right.size() + 1));
    for (std::size_t i = 0; i <= left.size(); ++i) {
        for (std::size_t j = 0; j <= right.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const bool same = left[i - 1] == right[j - 1];
            cost[i][j] = std::min(
                {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
            const bool swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[left.size()][right.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    if (word.empty()) return "";
    std::vector<std::string> begun;
    for (const std::string& candidate : known)
        if (candidate.starts_with(word)) begun.push_back(candidate);
    if (begun.size() == 1) return begun.front();
    std::string best;
    std::size_t least = std::min<std::size_t>(2, std::max<std::size_t>(1, word.size() / 3)) + 1;
    for (const std::string& candidate : known) {
        const std::size_t wrong = distance(word, candidate);
        if (wrong >= least) continue;
        least = wrong;
        best = candidate;
    }
    return best;
}

}  // namespace longhaul::cli
