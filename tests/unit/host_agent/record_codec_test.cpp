#include "host_agent/driver/record_codec.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::host_agent {
namespace {

std::vector<Record> samples() {
    const RunKey key{InvocationId{"0198"}, 3};
    const TimePoint at{std::chrono::microseconds(1'795'435'200'123'456)};
    return {
        SnapshotBegun{},
        EpochBegun{1'795'435'200},
        TermSeen{{4095, 18'000'000'000}},
        InstanceMade{InstanceId{"i"}, 512, {{4711, 99}, 200'001, "unix:/c.sock", "secret"}},
        InstanceLoaded{InstanceId{"i"},
                       {TenantName{"t"}, FunctionName{"f"}, Digest{"v"}, Digest{"p"},
                        std::chrono::minutes(5)}},
        InstanceGone{InstanceId{"i"}},
        Assigned{key, Token{"token"}, InstanceId{"i"}, "run", "127.0.0.1:1", at},
        Fenced{key, at},
        Released{key},
        Ended{key, {5, 17}, at, true, "{\"a\":1}"},
        Acked{key, at},
        DrainChanged{true, true, at, "a new disk", at},
        Leased{InstanceId{"i"}, {{4095, 7}, "run", at}},
        LeaseClosed{InstanceId{"i"}},
        LeaseLost{InstanceId{"i"}, at},
        InstanceShared{InstanceId{"i"}, 7},
    };
}

TEST_CASE("every host record comes back as it was written") {
    std::size_t index = 0;
    for (const Record& record : samples()) {
        CHECK(record.index() == index++);
        const std::string bytes = encode_record(record);
        auto again = decode_record(bytes);
        REQUIRE(again);
        CHECK(encode_record(*again) == bytes);
        CHECK(again->index() == record.index());
    }
    CHECK(index == std::variant_size_v<Record>);
}

TEST_CASE("the layout of a host record does not change") {
    const Fenced fence{{InvocationId{"ab"}, 300}, TimePoint{Duration{5}}};
    const std::string bytes = encode_record(fence);
    CHECK(bytes == std::string("\x01\x08\x02"
                               "ab\xac\x02\x05",
                               8));
}

TEST_CASE("a host record that is cut, too long, or of an unknown kind is corrupt") {
    for (const Record& record : samples()) {
        const std::string bytes = encode_record(record);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            auto cut = decode_record(std::string_view(bytes).substr(0, size));
            REQUIRE_FALSE(cut);
            CHECK(cut.error().code == Errc::corrupt);
        }
        CHECK_FALSE(decode_record(bytes + "x"));
    }
    CHECK_FALSE(decode_record(std::string("\x02\x01", 2)));
    CHECK_FALSE(decode_record(std::string("\x01\x00", 2)));
    CHECK_FALSE(decode_record(std::string("\x01\x63", 2)));
}

}  // namespace
}  // namespace longhaul::host_agent
