#!/bin/sh
# Makes ./primes. Static, so that it runs on hosts of any age.
set -eu
cd "$(dirname "$0")"
exec "${CXX:-g++}" -std=c++17 -O2 -Wall -Wextra -static -o primes primes.cpp
