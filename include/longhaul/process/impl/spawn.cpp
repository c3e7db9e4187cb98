#include "longhaul/process/spawn.hpp"

#include "longhaul/net/deadline.hpp"
#include "longhaul/process/impl/orders.hpp"
#include "longhaul/process/pidfd.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace longhaul::process {
namespace {

namespace asio = boost::asio;

// Above every target, so that no dup2 overwrites a source that is still needed.
constexpr int kSourceFdMin = 64;

Error system_error(std::string what, int error) {
    return make_error(Errc::io_failed, std::move(what) + ": " + std::strerror(error));
}

class FileActions {
public:
    FileActions() { ::posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    Result<void> place(int fd, int target) {
        UniqueFd& source = sources_.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kSourceFdMin));
        if (!source) return system_error("cannot duplicate a descriptor", errno);
        ::posix_spawn_file_actions_adddup2(&actions_, source.get(), target);
        return {};
    }

    const posix_spawn_file_actions_t* get() {
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, kStatusFd + 1);
        return &actions_;
    }

private:
    posix_spawn_file_actions_t actions_{};
    std::vector<UniqueFd> sources_;
};

class Attributes {
public:
    explicit Attributes(bool new_session) {
        ::posix_spawnattr_init(&attributes_);
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        const int group = new_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
        ::posix_spawnattr_setflags(&attributes_, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK |
                                                                    POSIX_SPAWN_SETSIGDEF));
    }
    ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

private:
    posix_spawnattr_t attributes_{};
};

Result<UniqueFd> make_orders(const SpawnRequest& request) {
    UniqueFd file(::memfd_create("longhaul-orders", MFD_CLOEXEC));
    if (!file) return system_error("cannot make a memory file", errno);
    const std::string text = encode_orders(request, ::getpid());
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return system_error("cannot write the trampoline's orders", errno);
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

Result<void> place_descriptors(const SpawnRequest& request, int orders, int status,
                               FileActions& actions) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return system_error("cannot open /dev/null", errno);
    const std::array standard{request.stdin_fd, request.stdout_fd, request.stderr_fd};
    for (int target = 0; target < 3; ++target) {
        const int fd = standard[static_cast<std::size_t>(target)];
        if (auto done = actions.place(fd < 0 ? null.get() : fd, target); !done) return done;
    }
    for (const auto& inherited : request.inherit) {
        if (inherited.as < 3 || inherited.as > kInheritMax)
            return make_error(Errc::invalid_argument, "an inherited descriptor must become 3 to " +
                                                          std::to_string(kInheritMax));
        if (auto done = actions.place(inherited.fd, inherited.as); !done) return done;
    }
    if (auto done = actions.place(orders, kOrdersFd); !done) return done;
    return actions.place(status, kStatusFd);
}

asio::awaitable<Result<std::string>> read_to_end(asio::posix::stream_descriptor& pipe) {
    std::string text;
    std::array<char, 512> buffer{};
    for (;;) {
        boost::system::error_code error;
        const std::size_t count = co_await pipe.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        text.append(buffer.data(), count);
        if (error) co_return text;
    }
}

}  // namespace

Result<Spawned> spawn(const SpawnRequest& request) {
    if (request.argv.empty() || request.argv[0].empty())
        return make_error(Errc::invalid_argument, "no command to execute");
    auto orders = make_orders(request);
    if (!orders) return orders.error();
    int status[2];
    if (::pipe2(status, O_CLOEXEC) != 0) return system_error("cannot make a pipe", errno);
    UniqueFd status_read(status[0]);
    const UniqueFd status_write(status[1]);

    FileActions actions;
    if (auto done = place_descriptors(request, orders->get(), status_write.get(), actions); !done)
        return done.error();
    const Attributes attributes(request.new_session);
    std::string program = request.trampoline;
    std::string mode = "--exec";
    char* const argv[] = {program.data(), mode.data(), nullptr};
    char* const env[] = {nullptr};
    Spawned child;
    const int error =
        ::posix_spawn(&child.pid, program.c_str(), actions.get(), attributes.get(), argv, env);
    if (error != 0) return system_error("cannot start " + program, error);

    child.exec_status = std::move(status_read);
    child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
    if (auto start = start_time_of(child.pid)) child.start_time = *start;
    return child;
}

asio::awaitable<Result<void>> confirm_exec(UniqueFd exec_status, port::Clock& clock,
                                           Duration limit) {
    auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor pipe(executor, exec_status.release());
    auto reading = read_to_end(pipe);
    auto text = co_await net::with_deadline<std::string>(std::move(reading), clock, limit);
    if (!text) co_return text.error();
    if (!text->empty()) co_return make_error(Errc::refused, *text);
    co_return Result<void>{};
}

}  // namespace longhaul::process
