#include "longhaul/net/impl/chunked.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace longhaul::net {
namespace {

constexpr std::uint32_t kSizeDigitsMax = 12;
constexpr std::uint32_t kExtraBytesMax = 16 * 1024;
constexpr std::uint32_t kTrailerBytesMax = 256 * 1024;  // where they are kept

Error malformed(std::string what) {
    return make_error(Errc::invalid_argument, "the chunked body is malformed: " + std::move(what),
                      "invalid-request");
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string chunk_size_line(std::size_t size) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
    return std::string(digits.data(), end) + "\r\n";
}

Result<std::size_t> ChunkDecoder::feed(std::string_view in, std::string& out, std::size_t out_max) {
    std::size_t taken = 0;
    std::size_t given = 0;
    while (taken < in.size() && state_ != State::done) {
        if (state_ == State::data) {
            const auto size = static_cast<std::size_t>(
                std::min<std::uint64_t>({left_, in.size() - taken, out_max - given}));
            if (size == 0) break;
            out.append(in.substr(taken, size));
            taken += size;
            given += size;
            left_ -= size;
            if (left_ == 0) state_ = State::data_cr;
            continue;
        }
        if (auto done = step(in[taken]); !done) return done.error();
        ++taken;
    }
    return taken;
}

std::uint32_t ChunkDecoder::extra_bytes_max() const {
    return extras_ == Extras::keep_trailers ? kTrailerBytesMax : kExtraBytesMax;
}

void ChunkDecoder::keep(char c) {
    if (extras_ == Extras::keep_trailers) trailers_ += c;
}

Result<void> ChunkDecoder::size_char(char c) {
    if (const int digit = hex_value(c); digit >= 0) {
        if (++digits_ > kSizeDigitsMax) return malformed("a chunk size is too long");
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        return {};
    }
    if (digits_ == 0) return malformed("a chunk has no size");
    if (c == '\r') {
        state_ = State::size_lf;
        return {};
    }
    if (extras_ == Extras::drop && (c == ';' || c == ' ' || c == '\t')) {
        state_ = State::extension;
        return {};
    }
    if (c == ';') return malformed("chunk extensions are not accepted");
    return malformed("a chunk size is no hexadecimal number");
}

Result<void> ChunkDecoder::step(char c) {
    const auto expect = [&](char wanted, State next) -> Result<void> {
        if (c != wanted) return malformed("a line or chunk does not end in CR LF");
        state_ = next;
        return {};
    };
    switch (state_) {
    case State::size: return size_char(c);
    case State::extension:
    case State::trailer_line:
        if (++extra_bytes_ > extra_bytes_max()) return malformed("too many extensions or trailers");
        if (c == '\n' || c == '\0') return malformed("a bare LF or a NUL");
        keep(c == '\r' ? '\n' : c);
        if (c == '\r') state_ = state_ == State::extension ? State::size_lf : State::trailer_lf;
        return {};
    case State::size_lf: {
        auto done = expect('\n', left_ == 0 ? State::trailer : State::data);
        digits_ = 0;
        return done;
    }
    case State::data_cr: return expect('\r', State::data_lf);
    case State::data_lf: return expect('\n', State::size);
    case State::trailer:
        if (c == '\r') {
            state_ = State::end_lf;
            return {};
        }
        if (extras_ == Extras::refuse) return malformed("trailers are not accepted");
        ++extra_bytes_;
        keep(c);
        state_ = State::trailer_line;
        return {};
    case State::trailer_lf: return expect('\n', State::trailer);
    case State::end_lf: return expect('\n', State::done);
    case State::data:
    case State::done: break;
    }
    return malformed("bytes after its end");
}

}  // namespace longhaul::net
