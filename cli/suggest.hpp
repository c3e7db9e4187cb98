// The known word that a mistyped one is nearest to. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::cli {

// "" where none is near: at most a third of its letters, and never more than two, may be wrong,
// missing, too many or swapped with their neighbour. A beginning of exactly one word is near too.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace longhaul::cli
