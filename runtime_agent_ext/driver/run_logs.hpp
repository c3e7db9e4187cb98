// To whose log a line of the function's output belongs.
//
// While one run is on (or the load that is done for one), all output is its own. Where several may
// be on at once, a line says whose it is by a tag, "@longhaul:<invocation> ", which is taken off
// (log_tag()). Without one it belongs to the only run that is on; if there are several, or none, to
// the instance.
//
// Runs on the agent's executor.
#pragma once

#include "runtime_agent_ext/config.hpp"
#include "runtime_agent_ext/core/run.hpp"
#include "runtime_agent_ext/driver/line_splitter.hpp"
#include "runtime_agent_ext/driver/log_book.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string_view>

namespace longhaul::runtime_agent_ext {

// What stands before each line of an invocation's output.
[[nodiscard]] std::string log_tag(const InvocationId& invocation);

class RunLogs {
public:
    // Who has said something.
    using Heard = std::function<void(const RunKey&)>;

    RunLogs(const port::Clock& clock, const Config& config);

    // From now on several runs may be on at once.
    void share() { shared_ = true; }

    // Between the two, output may be the run's.
    void begin(const RunKey& key);
    void end(const RunKey& key);

    void feed(wire::LogStream stream, std::string_view bytes, const Heard& heard);
    // What has no line feed yet counts as a line.
    void finish_lines();
    // A line of our own in the log of a run that is on.
    void note(const RunKey& key, std::string_view text);

private:
    struct Entry {
        Entry(const port::Clock& clock, const Config& config, const RunKey& key);

        LogBook book;
        bool told = false;  // that lines without a tag are not here
    };
    struct Source {
        LineSplitter lines;
        bool continues = false;         // the next piece belongs to the line before
        std::optional<RunKey> owner{};  // of that line
    };

    void take_line(wire::LogStream stream, std::string_view text, wire::LogFlag flag,
                   const Heard& heard);
    [[nodiscard]] std::optional<RunKey> owner_of(std::string_view& text);
    void tell_of_strays();
    void flush();
    [[nodiscard]] Source& source(wire::LogStream stream) {
        return stream == wire::LogStream::out ? out_ : err_;
    }

    // Constant after construction.
    const port::Clock& clock_;
    const Config& config_;

    bool shared_ = false;
    LogBook instance_;
    std::map<RunKey, Entry> runs_;
    Source out_;
    Source err_;
};

}  // namespace longhaul::runtime_agent_ext
