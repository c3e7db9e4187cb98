// Result<T>: a value, or an Error that says what failed. Expected failures travel as values;
// exceptions are for start-up and for "cannot happen".
//
// boost::system::result (Boost.System, since 1.78) under a type that may not be ignored.
#pragma once

#include "longhaul/base/errc.hpp"

#include <boost/system/result.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace longhaul {

struct Error {
    Errc code = Errc::internal;
    std::string message;  // one sentence for a person, without a final full stop
    std::string type{};   // problem type where it is more exact than the code: "queue-full"
    // Where a limit was passed: which, of what ("function", "gateway"), and seconds until a new try
    // makes sense. 0 and "": not told.
    std::uint64_t limit = 0;
    std::string scope{};
    std::uint32_t retry_after_s = 0;

    friend bool operator==(const Error&, const Error&) = default;
};

// What Result::value() throws on an error: only ever met at start-up and in tests.
[[noreturn]] void throw_error(const Error& error);
[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
    throw_error(error);
}

template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
public:
    using boost::system::result<T, Error>::result;
    Result(Error error) : boost::system::result<T, Error>(std::move(error)) {}
};

template <>
class [[nodiscard]] Result<void> : public boost::system::result<void, Error> {
public:
    using boost::system::result<void, Error>::result;
    Result() = default;
    Result(Error error) : boost::system::result<void, Error>(std::move(error)) {}
};

[[nodiscard]] inline Error make_error(Errc code, std::string message, std::string type = {}) {
    return Error{code, std::move(message), std::move(type), 0, {}, 0};
}

}  // namespace longhaul
