#include "longhaul/base/result.hpp"

#include <stdexcept>

namespace longhaul {

void throw_error(const Error& error) {
    std::string text{to_string(error.code)};
    text += ": ";
    text += error.message;
    throw std::runtime_error(text);
}

}  // namespace longhaul
