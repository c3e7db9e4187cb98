// Catch2 2 (Debian 12) or 3 (Debian 13), under one name; and how a failed check shows a Result.
#pragma once

#include "longhaul/base/result.hpp"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

template <>
struct Catch::StringMaker<longhaul::Error> {
    static std::string convert(const longhaul::Error& error) {
        return std::string{longhaul::to_string(error.code)} + ": " + error.message;
    }
};

template <class T>
struct Catch::StringMaker<longhaul::Result<T>> {
    static std::string convert(const longhaul::Result<T>& result) {
        return result ? "a value" : StringMaker<longhaul::Error>::convert(result.error());
    }
};
