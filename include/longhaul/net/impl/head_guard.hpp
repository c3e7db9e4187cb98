// What stands between the network and the HTTP parser: decides from the raw bytes of a message head
// where its body ends, and refuses every head on which two parsers could disagree about that
// (request smuggling). Pure.
//
// The Beast of Boost 1.81 and 1.83 accepts several of these (Transfer-Encoding on HTTP/1.0, codings
// that do not end in chunked, Content-Length after Transfer-Encoding), so it only ever sees a head
// that passed here, and never a body.
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace longhaul::net {

inline constexpr std::size_t kHeaderFieldsMax = 128;

// Why a head is refused: an HTTP status and a problem.
struct HeadRefusal {
    int status = 0;
    Error error{};
};

enum class BodyKind : std::uint8_t { none, length, chunked, until_close };

struct HeadFacts {
    BodyKind body = BodyKind::none;
    std::uint64_t length = 0;  // where body is `length`
    bool keep_alive = true;
    bool http_1_0 = false;
    bool expects_continue = false;
    std::string_view host{};  // into the block
};

struct HeadCheck {
    HeadFacts facts{};
    std::optional<HeadRefusal> refusal{};
};

// `block` is a whole head, with the empty line that ends it.
[[nodiscard]] HeadCheck check_request_head(std::string_view block);
[[nodiscard]] HeadCheck check_response_head(std::string_view block, bool answers_head);

// Finds the end of a head in `bytes`: its size, 0 where more is needed. Looks from `from` on.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t from);

// True when the bytes so far can not become a head any more, so that waiting for more is useless:
// another protocol (TLS), a line that ends in a bare LF, a NUL.
[[nodiscard]] std::optional<HeadRefusal> check_partial_head(std::string_view bytes,
                                                            std::size_t from);

}  // namespace longhaul::net
