#include "runtime_agent_ext/config.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <limits>
#include <string_view>

namespace longhaul::runtime_agent_ext {
namespace {

struct Reading {
    Config config;
    std::string problems;

    void problem(std::string_view flag, std::string_view what) {
        problems += "--";
        problems += flag;
        problems += ": ";
        problems += what;
        problems += '\n';
    }

    template <class Number>
    void number(std::string_view flag, const std::string& text, Number& out) {
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
            problem(flag, "'" + text + "' is no number in range");
    }
    template <class Number>
    void number(std::string_view flag, const std::string& text, std::optional<Number>& out) {
        Number value{};
        number(flag, text, value);
        out = value;
    }
    void milliseconds(std::string_view flag, const std::string& text, Duration& out) {
        std::uint32_t value = 0;
        number(flag, text, value);
        out = std::chrono::milliseconds(value);
    }
};

// The per-instance secret: everything on the descriptor, up to its end.
std::string read_secret(int fd, Reading& reading) {
    constexpr std::size_t kSecretMax = 4096;
    std::string secret;
    std::array<char, kSecretMax> buffer{};
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) reading.problem("secret-fd", std::strerror(errno));
        if (count <= 0) break;
        secret.append(buffer.data(), static_cast<std::size_t>(count));
        if (secret.size() > kSecretMax) {
            reading.problem("secret-fd", "more than 4096 bytes");
            break;
        }
    }
    ::close(fd);
    while (!secret.empty() && secret.back() == '\n') secret.pop_back();
    if (secret.empty()) reading.problem("secret-fd", "no secret on it");
    return secret;
}

struct Flag {
    std::string_view name;
    std::string_view value;  // how --help shows it
    std::string_view help;
    void (*read)(Reading&, std::string_view name, const std::string& text);
};

template <std::string Config::*Member>
void text(Reading& reading, std::string_view, const std::string& value) {
    reading.config.*Member = value;
}
template <auto Member>
void number(Reading& reading, std::string_view name, const std::string& value) {
    reading.number(name, value, reading.config.*Member);
}
template <Duration Config::*Member>
void milliseconds(Reading& reading, std::string_view name, const std::string& value) {
    reading.milliseconds(name, value, reading.config.*Member);
}

void instance(Reading& reading, std::string_view, const std::string& value) {
    reading.config.instance.text = value;
}
void secret_fd(Reading& reading, std::string_view name, const std::string& value) {
    int fd = -1;
    reading.number(name, value, fd);
    if (fd >= 0) reading.config.secret = read_secret(fd, reading);
}
void prestart(Reading& reading, std::string_view name, const std::string& value) {
    if (value == "python" || value == "node")
        reading.config.prestart = value;
    else if (value != "no")
        reading.problem(name, "'" + value + "' is none of python, node, no");
}
void cgroups(Reading& reading, std::string_view, const std::string& value) {
    reading.config.cgroups = value != "no";
}
void log_level(Reading& reading, std::string_view name, const std::string& value) {
    for (const LogLevel level :
         {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off}) {
        if (to_string(level) != value) continue;
        reading.config.log_level = level;
        return;
    }
    reading.problem(name, "'" + value + "' is none of debug, info, warning, error, off");
}

constexpr std::array kFlags{
    Flag{"instance", "ID", "instance id (required)", instance},
    Flag{"dir", "DIR", "instance directory, exists (required)", text<&Config::directory>},
    Flag{"host-socket", "PATH", "the host agent's unix socket (required)",
         text<&Config::host_socket>},
    Flag{"control-socket", "PATH", "unix socket to serve (required)",
         text<&Config::control_socket>},
    Flag{"data-listen", "ADDRESS", "where gateways send runs (default 127.0.0.1:0)",
         text<&Config::data_listen>},
    Flag{"log-dir", "DIR", "where log files go, exists (required)", text<&Config::log_directory>},
    Flag{"store-dir", "DIR", "where results go, exists (required)", text<&Config::store_directory>},
    Flag{"secret-fd", "N", "descriptor with the per-instance secret (required)", secret_fd},
    Flag{"uid", "N", "user of the function (default: as this process)", number<&Config::uid>},
    Flag{"gid", "N", "group of the function (default: as this process)", number<&Config::gid>},
    Flag{"path", "PATH", "the function's PATH (default /usr/local/bin:/usr/bin:/bin)",
         text<&Config::path>},
    Flag{"prestart", "RUNTIME", "start it in standby: python, node, no (default no)", prestart},
    Flag{"cgroups", "yes|no", "use cgroups where writable (default yes)", cgroups},
    Flag{"pids-max", "N", "processes and threads of the function, 0 = none (default 1024)",
         number<&Config::pids_max>},
    Flag{"memory-max-bytes", "N", "memory of the function, 0 = none (default 0)",
         number<&Config::memory_max_bytes>},
    Flag{"log-bytes-max", "N", "log of one run (default 10485760)", number<&Config::log_bytes_max>},
    Flag{"body-bytes-max", "N", "body of one run (default 268435456)",
         number<&Config::body_bytes_max>},
    Flag{"report-timeout-ms", "N", "one report to the host agent (default 10000)",
         milliseconds<&Config::report_timeout>},
    Flag{"exec-timeout-ms", "N", "from spawn to exec (default 30000)",
         milliseconds<&Config::exec_timeout>},
    Flag{"kill-confirm-ms", "N", "from SIGKILL to a proven empty tree (default 10000)",
         milliseconds<&Config::kill_confirm>},
    Flag{"orphan-idle-ms", "N",
         "idle and without a host agent this long: end; 0 = never "
         "(default 600000)",
         milliseconds<&Config::orphan_idle>},
    Flag{"log-level", "LEVEL", "debug, info, warning, error, off (default info)", log_level},
};

void check_required(Reading& reading) {
    const Config& config = reading.config;
    const auto require = [&reading](std::string_view flag, const std::string& value) {
        if (value.empty()) reading.problem(flag, "is required");
    };
    require("instance", config.instance.text);
    require("dir", config.directory);
    require("host-socket", config.host_socket);
    require("control-socket", config.control_socket);
    require("log-dir", config.log_directory);
    require("store-dir", config.store_directory);
    require("secret-fd", config.secret);
    if (config.instance.text.find('/') != std::string::npos)
        reading.problem("instance", "must not hold a slash");
    if (config.log_bytes_max < 1024) reading.problem("log-bytes-max", "is below 1024");
}

std::string own_program() {
    std::array<char, PATH_MAX> buffer{};
    const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
    return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : "";
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& words) {
    Reading reading;
    for (std::size_t i = 0; i < words.size(); i += 2) {
        if (words[i] == "--help" || words[i] == "-h") return CommandLine{Config{}, true};
        const std::string_view word = words[i];
        const Flag* found = nullptr;
        for (const Flag& flag : kFlags)
            if (word.starts_with("--") && word.substr(2) == flag.name) found = &flag;
        if (found == nullptr || i + 1 == words.size()) {
            reading.problems += words[i] + (found ? ": needs a value\n" : ": unknown flag\n");
            continue;
        }
        found->read(reading, found->name, words[i + 1]);
    }
    check_required(reading);
    if (!reading.problems.empty()) {
        reading.problems.pop_back();
        return make_error(Errc::invalid_argument, std::move(reading.problems));
    }
    reading.config.program = own_program();
    return CommandLine{std::move(reading.config), false};
}

std::string help_text() {
    std::string text =
        "runtime_agent_ext: runs one instance of a function for longhaul's host agent.\n\n"
        "  runtime_agent_ext --FLAG VALUE …   (started by a host agent; it outlives it)\n"
        "  runtime_agent_ext --exec           the trampoline: orders on descriptor 20\n\n";
    for (const Flag& flag : kFlags) {
        std::string left = "  --" + std::string(flag.name) + " " + std::string(flag.value);
        left.resize(std::max<std::size_t>(left.size() + 1, 30), ' ');
        text += left + std::string(flag.help) + "\n";
    }
    return text;
}

}  // namespace longhaul::runtime_agent_ext
