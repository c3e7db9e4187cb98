#include "runtime_agent_ext/driver/run_logs.hpp"

#include "runtime_agent_ext/driver/entry.hpp"

#include <algorithm>

namespace longhaul::runtime_agent_ext {
namespace {

constexpr std::string_view kTag = "@longhaul:";

}  // namespace

std::string log_tag(const InvocationId& invocation) { return std::string(kTag) + invocation.text; }

RunLogs::Entry::Entry(const port::Clock& clock, const Config& config, const RunKey& key)
    : book(clock, config.log_directory, wire::log_file_name(wire_key(key)), config.log_bytes_max) {}

RunLogs::RunLogs(const port::Clock& clock, const Config& config)
    : clock_(clock),
      config_(config),
      instance_(clock, config.log_directory, wire::instance_log_file_name(config.instance),
                config.log_bytes_max) {}

void RunLogs::begin(const RunKey& key) {
    if (runs_.empty()) finish_lines();
    runs_.try_emplace(key, clock_, config_, key);
}

void RunLogs::end(const RunKey& key) {
    const auto entry = runs_.find(key);
    if (entry == runs_.end()) return;
    if (runs_.size() == 1) finish_lines();
    entry->second.book.flush();
    runs_.erase(entry);
}

void RunLogs::feed(wire::LogStream stream, std::string_view bytes, const Heard& heard) {
    if (!shared_) {
        if (!runs_.empty()) heard(runs_.begin()->first);
        const LogBook& only = runs_.empty() ? instance_ : runs_.begin()->second.book;
        if (only.full()) return;
    }
    source(stream).lines.feed(bytes, [&](std::string_view text, wire::LogFlag flag) {
        take_line(stream, text, flag, heard);
    });
    flush();
}

void RunLogs::finish_lines() {
    const Heard nobody = [](const RunKey&) {};
    for (const auto stream : {wire::LogStream::out, wire::LogStream::err})
        source(stream).lines.finish([&](std::string_view text, wire::LogFlag flag) {
            take_line(stream, text, flag, nobody);
        });
    flush();
}

void RunLogs::note(const RunKey& key, std::string_view text) {
    const auto entry = runs_.find(key);
    if (entry == runs_.end()) return;
    if (runs_.size() == 1) finish_lines();
    entry->second.book.write(wire::LogStream::system, wire::LogFlag::none, text);
    entry->second.book.flush();
}

void RunLogs::take_line(wire::LogStream stream, std::string_view text, wire::LogFlag flag,
                        const Heard& heard) {
    Source& from = source(stream);
    if (!from.continues) from.owner = owner_of(text);
    from.continues = flag == wire::LogFlag::continues;
    const auto entry = from.owner ? runs_.find(*from.owner) : runs_.end();
    if (entry == runs_.end()) {
        instance_.write(stream, flag, text);
        return;
    }
    if (shared_) heard(entry->first);
    entry->second.book.write(stream, flag, text);
}

// Takes the tag off.
std::optional<RunKey> RunLogs::owner_of(std::string_view& text) {
    if (shared_ && text.starts_with(kTag)) {
        std::string_view name = text.substr(kTag.size());
        name = name.substr(0, name.find(' '));
        const auto named = std::ranges::find_if(
            runs_, [name](const auto& run) { return run.first.invocation.text == name; });
        if (named != runs_.end()) {
            text.remove_prefix(std::min(text.size(), kTag.size() + name.size() + 1));
            return named->first;
        }
        return std::nullopt;
    }
    if (runs_.size() == 1) return runs_.begin()->first;
    tell_of_strays();
    return std::nullopt;
}

void RunLogs::tell_of_strays() {
    for (auto& [key, entry] : runs_) {
        if (entry.told) continue;
        entry.told = true;
        entry.book.write(wire::LogStream::system, wire::LogFlag::none,
                         "several runs are on: lines that name none of them are in the log of "
                         "instance " +
                             config_.instance.text);
    }
}

void RunLogs::flush() {
    instance_.flush();
    for (auto& [key, entry] : runs_) entry.book.flush();
}

}  // namespace longhaul::runtime_agent_ext
