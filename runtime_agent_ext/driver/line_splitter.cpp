#include "runtime_agent_ext/driver/line_splitter.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

// Emits full pieces of `text`, and leaves what is at most one piece.
void emit_pieces(std::string_view& text, const LineSplitter::Sink& sink) {
    while (text.size() > wire::kLogTextMax) {
        sink(text.substr(0, wire::kLogTextMax), wire::LogFlag::continues);
        text.remove_prefix(wire::kLogTextMax);
    }
}

}  // namespace

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        std::string_view line = bytes.substr(0, end);
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
        if (!partial_.empty()) {
            partial_ += line;
            line = partial_;
        }
        emit_pieces(line, sink);
        if (end == std::string_view::npos) {
            partial_ = std::string(line);
            return;
        }
        sink(line, wire::LogFlag::none);
        partial_.clear();
    }
}

void LineSplitter::finish(const Sink& sink) {
    if (partial_.empty()) return;
    sink(partial_, wire::LogFlag::none);
    partial_.clear();
}

}  // namespace longhaul::runtime_agent_ext
