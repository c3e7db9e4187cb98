// The load for bench.py: HTTP/1.1 over keep-alive connections, closed loop (each connection sends
// its next request when it has the answer to its last), bounded by a count. Blocking sockets and
// one thread per connection: no event loop of ours is in it, so that it measures the server alone.
//
//     load submit HOST:PORT TARGET CONNECTIONS REQUESTS   POST of a small event
//     load start HOST:PORT TARGET REQUESTS       one at a time, from the submit to the function's
//                                                first line; its result is that moment (unix ns)
//     load fsync FOLDER BYTES COUNT              pwrite + fdatasync on a pre-zeroed file
//
// Prints one JSON object: latencies in microseconds, throughput per second.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::vector<double>;

constexpr int kWarmUp = 50;  // requests per connection that are not counted
constexpr int kConnectionsMax = 256;

double micros(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::micro>(to - from).count();
}

int connect_to(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1)
        throw std::runtime_error("no IPv4 address: " + address);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        throw std::runtime_error("cannot connect to " + address);
    return fd;
}

// One answer: its status. The head must fit the buffer, the body must have a Content-Length.
int read_answer(int fd, std::string& buffer) {
    buffer.clear();
    std::size_t head_end = std::string::npos;
    std::size_t length = 0;
    char chunk[16 * 1024];
    while (head_end == std::string::npos || buffer.size() < head_end + 4 + length) {
        const auto count = ::read(fd, chunk, sizeof chunk);
        if (count <= 0) throw std::runtime_error("the server closed: " + buffer);
        buffer.append(chunk, static_cast<std::size_t>(count));
        if (head_end != std::string::npos) continue;
        head_end = buffer.find("\r\n\r\n");
        if (head_end == std::string::npos) continue;
        for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "})
            if (const auto at = buffer.find(name); at < head_end)
                length = std::strtoul(buffer.c_str() + at + std::strlen(name), nullptr, 10);
    }
    return std::atoi(buffer.c_str() + std::strlen("HTTP/1.1 "));
}

struct Load {
    std::string request;
    std::string address;
    std::atomic<int> left{0};
    std::atomic<int> refused{0};
};

void send_all(int fd, const std::string& bytes) {
    if (::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("short write");
}

void run_connection(Load& load, Micros& out) {
    const int fd = connect_to(load.address);
    std::string buffer;
    while (load.left.fetch_sub(1) > 0) {
        const auto begin = Clock::now();
        send_all(fd, load.request);
        const int status = read_answer(fd, buffer);
        out.push_back(micros(begin, Clock::now()));
        if (status != 202) {
            ++load.refused;
            std::fprintf(stderr, "%s\n", buffer.c_str());
            break;
        }
    }
    ::close(fd);
}

std::string post_request(const std::string& address, const std::string& target,
                         const std::string& headers) {
    const std::string body = "{\"n\": 1}";
    return "POST " + target + " HTTP/1.1\r\nHost: " + address +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + headers + "\r\n" + body;
}

double percentile(const Micros& sorted, double part) {
    if (sorted.empty()) return 0;
    const auto index = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
    return sorted[std::min(index, sorted.size() - 1)];
}

void print(Micros& all, double seconds, int refused) {
    std::sort(all.begin(), all.end());
    std::printf(
        "{\"count\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
        "\"per_second\": %.0f, \"refused\": %d}\n",
        all.size(), percentile(all, 0.50), percentile(all, 0.99), all.empty() ? 0 : all.back(),
        static_cast<double>(all.size()) / seconds, refused);
}

// All connections until `count` requests are done; returns the seconds it took.
double run_all(Load& load, int connections, int count, std::vector<Micros>& out) {
    load.left = count;
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int index = 0; index < connections; ++index)
        threads.emplace_back([&load, &out, index] {
            try {
                run_connection(load, out[static_cast<std::size_t>(index)]);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "load: %s\n", error.what());
                ++load.refused;
            }
        });
    for (auto& thread : threads) thread.join();
    return micros(begin, Clock::now()) / 1e6;
}

int submit(char** argv) {
    const int connections = std::clamp(std::atoi(argv[4]), 1, kConnectionsMax);
    const int count = std::max(std::atoi(argv[5]), 1);
    Load load;
    load.address = argv[2];
    load.request = post_request(load.address, argv[3], "");
    std::vector<Micros> warm(static_cast<std::size_t>(connections));
    run_all(load, connections, kWarmUp * connections, warm);
    std::vector<Micros> out(static_cast<std::size_t>(connections));
    for (auto& one : out) one.reserve(static_cast<std::size_t>(count));
    const double seconds = run_all(load, connections, count, out);
    Micros all;
    for (const auto& one : out) all.insert(all.end(), one.begin(), one.end());
    print(all, seconds, load.refused);
    return load.refused == 0 ? 0 : 1;
}

// Waits for each answer (Prefer: wait), so that the instance is idle and loaded for the next.
int start(char** argv) {
    const std::string address = argv[2];
    const int count = std::max(std::atoi(argv[4]), 1);
    const std::string request = post_request(address, argv[3], "Prefer: wait=10\r\n");
    const int fd = connect_to(address);
    std::string buffer;
    Micros all;
    int refused = 0;
    const auto begin = Clock::now();
    for (int index = 0; index < count; ++index) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        timespec before{};
        ::clock_gettime(CLOCK_REALTIME, &before);
        send_all(fd, request);
        const int status = read_answer(fd, buffer);
        const auto body = buffer.find("\r\n\r\n") + 4;
        const auto first_line = std::strtoll(buffer.c_str() + body, nullptr, 10);
        if (status != 200 || first_line == 0) {
            ++refused;
            continue;
        }
        all.push_back(
            static_cast<double>(first_line - (before.tv_sec * 1'000'000'000LL + before.tv_nsec)) /
            1e3);
    }
    const double seconds = micros(begin, Clock::now()) / 1e6;
    ::close(fd);
    print(all, seconds, refused);
    return refused == 0 ? 0 : 1;
}

int fsync_bare(char** argv) {
    const std::string path = std::string(argv[2]) + "/bench-fsync";
    const auto bytes = static_cast<std::size_t>(std::atoi(argv[3]));
    const int count = std::atoi(argv[4]);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("cannot open " + path);
    const std::string block(bytes, 'x');
    const std::string zeros(1 << 20, '\0');
    for (std::size_t at = 0; at < bytes * static_cast<std::size_t>(count); at += zeros.size())
        if (::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0)
            throw std::runtime_error("cannot write " + path);
    ::fsync(fd);
    Micros all;
    const auto begin = Clock::now();
    for (int index = 0; index < count; ++index) {
        const auto one = Clock::now();
        const auto at = static_cast<off_t>(bytes) * index;
        if (::pwrite(fd, block.data(), bytes, at) != static_cast<ssize_t>(bytes) ||
            ::fdatasync(fd) != 0)
            throw std::runtime_error("cannot sync " + path);
        all.push_back(micros(one, Clock::now()));
    }
    const double seconds = micros(begin, Clock::now()) / 1e6;
    ::close(fd);
    ::unlink(path.c_str());
    print(all, seconds, 0);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 6 && std::strcmp(argv[1], "submit") == 0) return submit(argv);
        if (argc == 5 && std::strcmp(argv[1], "start") == 0) return start(argv);
        if (argc == 5 && std::strcmp(argv[1], "fsync") == 0) return fsync_bare(argv);
        std::fputs(
            "load submit HOST:PORT TARGET CONNECTIONS REQUESTS | load start HOST:PORT TARGET "
            "REQUESTS | load fsync FOLDER BYTES N\n",
            stderr);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
