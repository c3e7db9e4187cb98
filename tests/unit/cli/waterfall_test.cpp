#include "cli/waterfall.hpp"

#include "tests/support/catch.hpp"

using namespace longhaul;
using namespace longhaul::cli;

namespace {

wire::Json attempt(int number, const std::string& trace) {
    return wire::parse_json(R"({"number":)" + std::to_string(number) +
                            R"(,"host":"h","instance":"i","outcome":"succeeded",)"
                            R"("dispatched_at":"2026-01-01T00:00:00.010Z",)"
                            R"("started_at":"2026-01-01T00:00:00.100Z",)"
                            R"("ended_at":"2026-01-01T00:00:00.200Z","trace":)" +
                            trace + "}")
        .value();
}

wire::Json document(std::vector<wire::Json> attempts) {
    return wire::Json::object()
        .set("id", "x")
        .set("function", "f")
        .set("state", "succeeded")
        .set("created_at", "2026-01-01T00:00:00.000Z")
        .set("attempts", std::move(attempts));
}

}  // namespace

TEST_CASE("a waterfall shows each stage where and for how long it was") {
    const std::string trace =
        R"({"queue_ms":10,"route_ms":10,"take_ms":80,"fetch_ms":20,"unpack_ms":10,"start_ms":40,)"
        R"("load_ms":40,"import_ms":30})";
    CHECK(waterfall(document({attempt(1, trace)}), 20) ==
          "x  f  succeeded\n"
          "attempt 1 on h, instance i: succeeded\n"
          "  queue                10.0 ms |#\n"
          "  route                10.0 ms | #\n"
          "  take                 80.0 ms |  ########\n"
          "    fetch              20.0 ms |  ##\n"
          "    unpack             10.0 ms |    #\n"
          "    start              40.0 ms |  ####\n"
          "    load               40.0 ms |      ####\n"
          "      import           30.0 ms |       ###\n"
          "  run                 100.0 ms |          ##########\n"
          "  advice: start took 40 of 80 ms: an instance that is kept warm needs no start\n");
}

TEST_CASE("a warm start needs no advice, and what no stage tells is shown as well") {
    const std::string shown =
        waterfall(document({attempt(1, R"({"queue_ms":10,"route_ms":40})")}), 20);
    CHECK(shown.find("  begin                50.0 ms |     #####\n") != std::string::npos);
    CHECK(shown.find("advice") == std::string::npos);
}

TEST_CASE("a later attempt's story begins with its dispatch") {
    const std::string shown =
        waterfall(document({attempt(2, R"({"queue_ms":5000,"route_ms":90})")}), 20);
    CHECK(shown.find("queue  ") == std::string::npos);
    CHECK(shown.find("  route                90.0 ms |#########\n") != std::string::npos);
    CHECK(shown.find("it waited 5000 ms in line") != std::string::npos);
}

TEST_CASE("what has not begun has no stages") {
    CHECK(waterfall(document({})) == "x  f  succeeded\nno attempt has begun yet\n");
}
