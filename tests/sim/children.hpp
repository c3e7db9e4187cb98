// Work in child processes, some at a time: what a planted bug or a failed assertion ends is the
// child, and each processor has its share.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace longhaul::sim {

// What a child wrote to stdout and stderr; `ended_well` if it returned from its work.
struct ChildEnd {
    std::size_t number = 0;
    bool ended_well = false;
    std::string text;
};

// Runs work(0) … work(count - 1), each in a process of its own, `at_once` at a time, and tells
// `each` as they end. REQUIRES no other thread in this process.
void run_children(std::size_t count, std::size_t at_once,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void(const ChildEnd&)>& each);

[[nodiscard]] std::size_t processors();

}  // namespace longhaul::sim
