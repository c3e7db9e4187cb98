// How fast a line moves.
#include "gateway/core/drain_rate.hpp"
#include "tests/support/catch.hpp"

using namespace longhaul;
using namespace longhaul::gateway;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const TimePoint kStart{seconds(1'800'000'000)};

bool is_about(double value, double wanted) {
    return value > wanted * 0.95 && value < wanted * 1.05;
}

}  // namespace

TEST_CASE("nothing is known of a line from which nobody has gone") {
    DrainRate rate;
    CHECK_FALSE(rate.per_second(kStart));
    rate.waits(kStart, true);
    CHECK_FALSE(rate.per_second(kStart + seconds(10)));
    CHECK_FALSE(rate.time_for(1, kStart + seconds(10)));
}

TEST_CASE("a steady line has the rate at which it moves") {
    DrainRate rate;
    TimePoint now = kStart;
    rate.waits(now, true);
    for (int count = 0; count < 1'000; ++count) {
        now += milliseconds(500);
        rate.granted(now);
    }
    CHECK(is_about(*rate.per_second(now), 2));
    CHECK(is_about(static_cast<double>(rate.time_for(20, now)->count()), 10e6));
}

TEST_CASE("time in which nobody waits does not make a line slow") {
    DrainRate rate;
    TimePoint now = kStart;
    for (int burst = 0; burst < 20; ++burst) {
        rate.waits(now, true);
        now += seconds(1);
        rate.granted(now);
        rate.waits(now, false);
        now += hours(1);
    }
    CHECK(is_about(*rate.per_second(now), 1));
}

TEST_CASE("a line that stands still is slower with every second") {
    DrainRate rate;
    rate.waits(kStart, true);
    TimePoint now = kStart + seconds(1);
    rate.granted(now);
    double last = *rate.per_second(now);
    for (int minute = 0; minute < 5; ++minute) {
        now += seconds(60);
        const double next = *rate.per_second(now);
        CHECK(next < last);
        last = next;
    }
}
