// Bytes of one stream to lines of a log: split at line feeds, and at kLogTextMax. Pure.
#pragma once

#include "longhaul/wire/log_line.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

class LineSplitter {
public:
    // The text lives during the call alone.
    using Sink = std::function<void(std::string_view text, wire::LogFlag flag)>;

    void feed(std::string_view bytes, const Sink& sink);
    // What has no line feed yet, as a line.
    void finish(const Sink& sink);

private:
    std::string partial_;
};

}  // namespace longhaul::runtime_agent_ext
