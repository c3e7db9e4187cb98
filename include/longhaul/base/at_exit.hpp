// Runs a function at the end of a scope, however that ends: also by an exception, and when a
// coroutine is cancelled while it waits.
//
// For what others wait for: a coroutine that ends without saying so leaves them waiting for ever.
// The function must not throw; what it refers to must outlive the scope.
#pragma once

#include <utility>

namespace longhaul {

template <class Function>
class AtExit {
public:
    explicit AtExit(Function function) : function_(std::move(function)) {}
    ~AtExit() { function_(); }
    AtExit(const AtExit&) = delete;
    AtExit& operator=(const AtExit&) = delete;

private:
    Function function_;
};

}  // namespace longhaul
