// Decoder of the chunked coding (RFC 9112, section 7.1), strict on purpose: line ends are CR LF,
// sizes are hexadecimal digits and nothing else, extensions and trailers are refused in requests
// (they are where parsers disagree) and dropped, within bounds, in responses. A server that wants
// trailers (ServerOptions::trailers) keeps them, and refuses extensions all the same. Pure.
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul::net {

[[nodiscard]] std::string chunk_size_line(std::size_t size);  // "1f\r\n"

class ChunkDecoder {
public:
    enum class Extras : std::uint8_t { refuse, drop, keep_trailers };

    explicit ChunkDecoder(Extras extras) : extras_(extras) {}

    // Takes bytes from the front of `in`, appends decoded ones to `out`, at most `out_max` in this
    // call. Returns how many were taken: less than all when done, or `out_max` was met.
    // Errc::invalid_argument says what is malformed; the decoder is of no use afterwards.
    [[nodiscard]] Result<std::size_t> feed(std::string_view in, std::string& out,
                                           std::size_t out_max);

    [[nodiscard]] bool done() const { return state_ == State::done; }
    // "Name: value\n" each, where they are kept and the body is done.
    [[nodiscard]] const std::string& trailers() const { return trailers_; }

private:
    enum class State : std::uint8_t {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer,
        trailer_line,
        trailer_lf,
        end_lf,
        done
    };

    [[nodiscard]] Result<void> step(char c);
    [[nodiscard]] Result<void> size_char(char c);
    [[nodiscard]] std::uint32_t extra_bytes_max() const;
    void keep(char c);  // of a trailer

    Extras extras_;
    State state_ = State::size;
    std::uint64_t left_ = 0;         // of the chunk
    std::uint32_t digits_ = 0;       // of the size being read
    std::uint32_t extra_bytes_ = 0;  // extensions and trailers of the whole body
    std::string trailers_;
};

}  // namespace longhaul::net
