#include "tests/support/catch.hpp"

#include "longhaul/wire/instance_control.hpp"

using namespace longhaul;
using namespace longhaul::wire;
using namespace std::chrono_literals;

namespace {

const AttemptKey kKey{{"0198c0de-0000-7000-8000-000000000001"}, 2};
const Token kToken{"00112233445566778899aabbccddeeff"};

FunctionSpec function() {
    FunctionSpec out;
    out.name = {"count"};
    out.version = {"sha256:" + std::string(64, '1')};
    out.command = {"/bin/true"};
    return out;
}

StatusEntry running() {
    StatusEntry entry;
    entry.key = kKey;
    entry.token = kToken;
    entry.incarnation = "i-1";
    entry.instance = {"inst-1"};
    entry.version = 7;
    entry.rank = Rank::running;
    entry.started_ms_ago = 1500;
    entry.progress = Progress{40.5, "page 4 of 10", TimePoint{1'795'435'200'123'456us}};
    entry.silent = true;
    return entry;
}

StatusEntry ended() {
    StatusEntry entry = running();
    entry.version = 9;
    entry.rank = Rank::ended;
    entry.outcome = AttemptOutcome::failed;
    entry.reason = FailureReason::error;
    entry.message = "it broke\nbadly";
    entry.error_type = "ValueError";
    entry.exit_code = -3;
    entry.signal = 9;
    entry.http_status = 500;
    entry.retry_after_ms = 30'000;
    entry.oom = true;
    entry.stop_cause = StopCause::kill;
    entry.sigkill_sent = true;
    entry.tree_gone = true;
    entry.result =
        ResultReference{true, std::string("\0\xff r", 4), 4, "", "text/plain; charset=utf-8"};
    entry.ended_ms_ago = 3;
    entry.trace = {{"route", 0.25}, {"load", 12.0}};
    entry.usage = {1.25, 1u << 20};
    entry.lease = InstanceLease{"127.0.0.1:40123", "next", 9'500};
    return entry;
}

HostAnnouncement host() {
    HostAnnouncement out;
    out.host = {"host-1"};
    out.epoch = 1'795'435'200;
    out.last_seq = 41;
    out.address = "127.0.0.1:7090";
    out.capacity = {4096, 8000, 64};
    out.instances = 3;
    out.memory_used_mb = 512;
    out.loaded = {{{"default"}, {"count"}, {"sha256:" + std::string(64, '2')}, 2},
                  {{"default"}, {"bare"}, {}, 1}};
    out.packages = {{"sha256:" + std::string(64, '2')}};
    out.draining = true;
    return out;
}

// Writing, reading and writing again gives the same text, so nothing was lost on the way.
template <class Message>
Message round_trip(const Message& message) {
    const std::string text = to_json(message).dump();
    auto decoded = decode<Message>(text);
    INFO(text);
    INFO((decoded ? std::string("decoded") : decoded.error().message));
    REQUIRE(decoded);
    CHECK(to_json(*decoded).dump() == text);
    return std::move(*decoded);
}

// `text` with one member of the object replaced (or added, or removed by null).
template <class Message>
std::string with(const Message& message, std::string_view member, Json value) {
    Json json = to_json(message);
    json.set(member, std::move(value));
    return json.dump();
}

template <class Message>
void refuses(const std::string& text, std::string_view part) {
    const auto decoded = decode<Message>(text);
    INFO(text.substr(0, 1000));
    REQUIRE_FALSE(decoded);
    INFO(decoded.error().message);
    CHECK(decoded.error().message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a take goes there and back") {
    const TakeRequest request{{77, 5}, kKey, kToken, {"default"}, function(), 900'000};
    const auto back = round_trip(request);
    CHECK(back.function == request.function);
    CHECK(back.owner.shard == 77);
    CHECK(back.owner.term == 5);
    CHECK(back.key == kKey);
    CHECK(back.ms_left == 900'000);
    CHECK(back.instance.empty());
    TakeRequest sent_before = request;
    sent_before.instance = {"inst-1"};
    CHECK(round_trip(sent_before).instance == sent_before.instance);
    const TakeAnswer answer{{"inst-1"}, "127.0.0.1:40123", "secret", true, {{"take", 1.5}}};
    CHECK(round_trip(answer).trace == answer.trace);
}

TEST_CASE("every member of a status entry goes there and back") {
    const StatusEntry entry = round_trip(ended());
    CHECK(entry.key == kKey);
    CHECK(entry.outcome == AttemptOutcome::failed);
    CHECK(entry.reason == FailureReason::error);
    CHECK(entry.message == "it broke\nbadly");
    CHECK(entry.exit_code == -3);
    CHECK(entry.signal == 9);
    CHECK(entry.stop_cause == StopCause::kill);
    CHECK(entry.tree_gone);
    REQUIRE(entry.result);
    CHECK(entry.result->bytes == ended().result->bytes);
    CHECK(entry.result->size == 4);
    CHECK(entry.trace == ended().trace);
    CHECK(entry.usage == ended().usage);
    CHECK(entry.progress == ended().progress);
    CHECK(entry.started_ms_ago == 1500);
    StatusEntry by_reference = ended();
    by_reference.result = ResultReference{false, "", 1u << 20, std::string(64, 'c'), ""};
    CHECK(round_trip(by_reference).result->size == 1u << 20);
    StatusEntry empty = ended();
    empty.result = ResultReference{true, "", 0, "", ""};
    CHECK(round_trip(empty).result->is_inline);
}

TEST_CASE("reports, batches, questions and answers go there and back") {
    const Report report{host(), 40, {running(), ended()}};
    const auto back = round_trip(report);
    CHECK(back.host.packages == host().packages);
    CHECK(back.host.capacity.memory_mb == 4096);
    CHECK(back.entries.size() == 2);
    CHECK(back.skipped.empty());
    round_trip(Report{host(), 0, {}});
    round_trip(host());
    HostAnnouncement with_digest = host();
    with_digest.digest = AttemptDigest{3, 0x00ff'0000'0000'0001};
    CHECK(round_trip(with_digest) == with_digest);
    CHECK(round_trip(ReportAnswer{41, true, {"entry 3: x"}}).refused.size() == 1);
    const auto orders = round_trip(ReportAnswer{0, false, {}, false, 17});
    CHECK_FALSE(orders.snapshot_please);
    CHECK(orders.drain == false);
    CHECK(orders.epoch_floor == 17);
    CHECK_FALSE(round_trip(ReportAnswer{1, true, {}}).drain);
    CHECK(round_trip(StatusBatch{{"host-1"}, 3, 0, 9, {running()}}).last_seq == 9);
    CHECK_FALSE(round_trip(StatusBatch{{"host-1"}, 3, std::nullopt, 9, {}}).prev_seq);
    CHECK(round_trip(StatusQuery{{kKey}}).keys == std::vector<AttemptKey>{kKey});
    CHECK(round_trip(StatusQuery{{}, true, kKey}).after == kKey);
    CHECK(round_trip(StatusQuery{{}, false, {}, SeqPoint{3, 8}}).since->seq == 8);
    CHECK(round_trip(StatusQuery{{}, false, {}, {}, true}).digest);
    CHECK(round_trip(StatusQuery{{kKey}, false, {}, {}, false, {{"inst-1"}}}).instances.size() ==
          1);
    refuses<StatusQuery>(to_json(StatusQuery{{kKey}, false, {}, {}, false, {{"a"}, {"b"}}}).dump(),
                         "instances must be one for each of keys");
    CHECK(round_trip(StatusAnswer{{"host-1"}, 3, 9, true, {ended()}, {kKey}}).unknown.size() == 1);
    StatusAnswer unsure{{"host-1"}, 3, 9, true, {}, {}};
    unsure.unheard = {kKey};
    CHECK(round_trip(unsure).unheard == std::vector{kKey});
    const auto page =
        round_trip(StatusAnswer{{"h"}, 3, 9, true, {}, {}, true, AttemptDigest{1, 2}});
    CHECK(page.more);
    CHECK(page.digest == AttemptDigest{1, 2});
}

TEST_CASE("kills, acks and the words of an instance go there and back") {
    const std::vector<KillOrder> orders{{{1, 2}, kKey, kToken, KillMode::cancel, 30'000},
                                        {{1, 2}, kKey, kToken, KillMode::fence, 0, {}, {"inst-1"}}};
    CHECK(round_trip(orders)[1].mode == KillMode::fence);
    CHECK(round_trip(orders)[1].instance.text == "inst-1");
    const std::vector<KillOrder> of_host{{{}, kKey, kToken, KillMode::drain, 5, "a new disk"}};
    CHECK(round_trip(of_host)[0].mode == KillMode::drain);
    CHECK(round_trip(of_host)[0].reason == "a new disk");
    const std::vector<KillAnswer> answers{{kKey, KillOutcome::stopping},
                                          {kKey, KillOutcome::stale}};
    CHECK(round_trip(answers)[1].outcome == KillOutcome::stale);
    CHECK(round_trip(std::vector<Ack>{{{4095, 2}, kKey}}).front().owner.shard == 4095);
    CHECK(round_trip(std::vector<Ack>{}).empty());
    CHECK(round_trip(InstanceStatus{"i-1", true, "busy", "127.0.0.1:1", {running()}}).ready);
    CHECK(round_trip(InstanceStatus{"i-1", false, "standby", "", {}}).data_address.empty());
    InstanceStatus repeatable{"i-1", true, "busy", "", {}};
    repeatable.retry_on_lost = true;
    CHECK(round_trip(repeatable).retry_on_lost);
    CHECK_FALSE(round_trip(InstanceStatus{"i-1", true, "busy", "", {}}).retry_on_lost);
    CHECK(round_trip(InstanceStatusAnswer{{kKey}}).kept.size() == 1);
    CHECK(round_trip(LoadRequest{{"default"}, function(), "/data/code/1", 30'000}).code_dir ==
          "/data/code/1");
}

TEST_CASE("an instance may be open to one more run") {
    InstanceStatus open{"i-1", true, "loaded", "127.0.0.1:1", {ended()}};
    open.offer = InstanceOffer{"next", {7, 3}};
    CHECK(round_trip(open).offer->run_token == "next");
    CHECK(round_trip(open).offer->owner.shard == 7);
    CHECK(round_trip(open).offer->owner.term == 3);
    const auto offer = parse_json(R"({"shard":0,"run_token":"x"})");
    refuses<InstanceStatus>(with(open, "offer", *offer), "offer.owner_term is missing");
}

TEST_CASE("an assignment names a run or nobody") {
    const auto back = [](const AssignRequest& request) {
        auto decoded = decode_assign(to_json(request));
        REQUIRE(decoded);
        CHECK(to_json(*decoded).dump() == to_json(request).dump());
        return *decoded;
    };
    CHECK(back({kKey, kToken, "run"}).key == kKey);
    CHECK(back({{}, {}, {}, AssignTo::nobody}).to == AssignTo::nobody);
    for (const char* wrong : {R"({"proto":1})", R"({"proto":1,"to":"all","run_token":"x"})",
                              R"({"proto":1,"to":"anyone","shard":7,"run_token":"x"})"})
        CHECK_FALSE(decode_assign(*parse_json(wrong)));
}

TEST_CASE("messages are golden: other versions read them") {
    CHECK(to_json(std::vector<KillOrder>{{{1, 2}, kKey, kToken, KillMode::kill, 2000}}).dump() ==
          R"({"proto":1,"orders":[{"shard":1,"owner_term":2,)"
          R"("invocation":"0198c0de-0000-7000-8000-000000000001","attempt":2,)"
          R"("token":"00112233445566778899aabbccddeeff","mode":"kill","grace_ms":2000}]})");
    CHECK(
        to_json(ended()).dump() ==
        R"({"invocation":"0198c0de-0000-7000-8000-000000000001","attempt":2,)"
        R"("token":"00112233445566778899aabbccddeeff",)"
        R"("incarnation":"i-1","instance":"inst-1","version":9,"rank":5,"outcome":"failed",)"
        R"("reason":"error",)"
        R"("message":"it broke\nbadly","error_type":"ValueError","exit_code":-3,"signal":9,)"
        R"("http_status":500,"retry_after_ms":30000,"oom":true,)"
        R"("result":{"inline":"AP8gcg==","content_type":"text/plain; charset=utf-8"},)"
        R"("stop":{"cause":"kill","sigkill_sent":true,"tree_gone":true},"started_ms_ago":1500,)"
        R"("ended_ms_ago":3,)"
        R"("trace":{"route":0.25,"load":12.0},"usage":{"cpu_seconds":1.25,)"
        R"("max_rss_bytes":1048576},)"
        R"("progress":{"percent":40.5,"message":"page 4 of 10","at_us":1795435200123456},)"
        R"("silent":true,)"
        R"("lease":{"address":"127.0.0.1:40123","run_token":"next","ms":9500},)"
        R"("proto":1})");
    CHECK(
        to_json(host()).dump() ==
        R"({"host":"host-1","epoch":1795435200,"last_seq":41,"address":"127.0.0.1:7090",)"
        R"("capacity":{"memory_mb":4096,"cpu_millis":8000,"instances_max":64},"instances":3,)"
        R"("memory_used_mb":512,)"
        R"("loaded":[{"tenant":"default","function":"count",)"
        R"("package":"sha256:2222222222222222222222222222222222222222222222222222222222222222",)"
        R"("idle":2},)"
        R"({"tenant":"default","function":"bare","idle":1}],)"
        R"("packages":["sha256:2222222222222222222222222222222222222222222222222222222222222222"],)"
        R"("draining":true,"proto":1})");
    CHECK(to_json(TakeAnswer{{"inst-1"}, "127.0.0.1:40123", "secret", false, {}}).dump() ==
          R"({"proto":1,"instance":"inst-1","address":"127.0.0.1:40123","run_token":"secret",)"
          R"("loaded":false})");
    CHECK(
        to_json(StatusQuery{{kKey}, false}).dump() ==
        R"({"proto":1,"keys":[{"invocation":"0198c0de-0000-7000-8000-000000000001","attempt":2}],)"
        R"("snapshot":false})");
    CHECK(decode<ReportAnswer>(R"({"proto":1,"accepted_seq":4,"later":{}})")->accepted_seq == 4);
    CHECK(to_json(ReportAnswer{4, true, {}, true, 9}).dump() ==
          R"({"proto":1,"accepted_seq":4,)"
          R"("orders":{"snapshot":true,"drain":true,"epoch_floor":9},"refused":[]})");
    CHECK(to_json(StatusQuery{{}, false, {}, SeqPoint{3, 8}}).dump() ==
          R"({"proto":1,"keys":[],"snapshot":false,"since":{"epoch":3,"seq":8}})");
    CHECK(to_json(StatusQuery{{}, true, kKey}).dump() ==
          R"({"proto":1,"keys":[],"snapshot":true,)"
          R"("after":{"invocation":"0198c0de-0000-7000-8000-000000000001","attempt":2}})");
    CHECK(to_json(StatusBatch{{"h"}, 3, 0, 9, {}}).dump() ==
          R"({"proto":1,"host":"h","epoch":3,"prev_seq":0,"last_seq":9,"entries":[]})");
    CHECK(to_json(StatusAnswer{{"h"}, 3, 9, true, {}, {}, true, AttemptDigest{1, 255}}).dump() ==
          R"({"proto":1,"host":"h","epoch":3,"last_seq":9,"complete":true,"entries":[],)"
          R"("unknown":[],"more":true,"digest":{"count":1,"sum":"00000000000000ff"}})");
}

TEST_CASE("a message of another protocol, or of none, is refused") {
    refuses<StatusQuery>(with(StatusQuery{}, "proto", 2), "proto must be between 1 and 1, is 2");
    refuses<StatusQuery>(with(StatusQuery{}, "proto", nullptr), "proto is missing");
    refuses<StatusEntry>(with(running(), "proto", 2), "proto");
    refuses<Report>("[]", "must be a JSON object");
    refuses<Report>("{", "malformed JSON");
    refuses<std::vector<Ack>>(R"({"proto":1})", "acks is missing");
}

TEST_CASE("a wrong member of an entry is named") {
    refuses<StatusEntry>(with(running(), "invocation", "../x"), "invocation is wrong");
    refuses<StatusEntry>(with(running(), "attempt", 0), "attempt must be between 1");
    refuses<StatusEntry>(with(running(), "attempt", 4294967297), "attempt must be between 1");
    refuses<StatusEntry>(with(running(), "token", ""), "token is empty");
    refuses<StatusEntry>(with(running(), "token", nullptr), "token is missing");
    refuses<StatusEntry>(with(running(), "token", "a/b"), "token must be at most 128");
    refuses<StatusEntry>(with(running(), "instance", ".."), "instance must be");
    refuses<StatusEntry>(with(running(), "rank", 6), "rank must be between 0 and 5");
    refuses<StatusEntry>(with(running(), "version", -1), "version must be between 0");
    refuses<StatusEntry>(with(running(), "outcome", "failed"), "outcome needs rank 5");
    refuses<StatusEntry>(with(ended(), "outcome", nullptr), "outcome is missing at rank 5");
    refuses<StatusEntry>(with(ended(), "outcome", "exploded"), "outcome is unknown: 'exploded'");
    refuses<StatusEntry>(with(ended(), "message", std::string(kMessageMax + 1, 'a')),
                         "message is longer than 16384");
    refuses<StatusEntry>(with(ended(), "exit_code", 2147483648), "exit_code must be between");
    refuses<StatusEntry>(with(ended(), "result", parse_json(R"({"inline":"x"})").value()),
                         "result is wrong: inline");
    refuses<StatusEntry>(with(ended(), "result", parse_json(R"({"size":1,"sha256":"X"})").value()),
                         "sha256 must be");
    refuses<StatusEntry>(
        with(ended(), "result", parse_json(R"({"inline":"","content_type":"a\nb"})").value()),
        "content_type must be");
    refuses<StatusEntry>(with(ended(), "result", 5), "result is wrong");
    refuses<StatusEntry>(with(ended(), "progress", parse_json(R"({"percent":101})").value()),
                         "percent must be between");
    refuses<StatusEntry>(with(ended(), "usage", parse_json(R"({"cpu_seconds":-1})").value()),
                         "must not be negative");
    refuses<StatusEntry>(with(ended(), "trace", parse_json(R"({"a":"b"})").value()),
                         "trace must hold");
}

TEST_CASE("batches have limits, and list members are named by their place") {
    StatusQuery query;
    query.keys.assign(kBatchMax, kKey);
    CHECK(decode<StatusQuery>(to_json(query).dump()));
    query.snapshot = true;
    refuses<StatusQuery>(to_json(query).dump(), "only one of them");
    query.snapshot = false;
    query.keys.push_back(kKey);
    refuses<StatusQuery>(to_json(query).dump(), "keys has 501 items, the limit is 500");
    refuses<StatusQuery>(with(StatusQuery{}, "since", 5), "since is wrong");
    refuses<StatusQuery>(to_json(StatusQuery{{}, false, kKey}).dump(), "after goes with snapshot");
    refuses<HostAnnouncement>(
        with(host(), "digest", parse_json(R"({"count":1,"sum":"0x0"})").value()),
        "sum must be 16 hex digits");
    StatusAnswer many{{"h"}, 1, 1, true, {}, {}};
    many.entries.assign(kBatchMax + 1, running());
    refuses<StatusAnswer>(to_json(many).dump(), "the limit is 500");
    refuses<std::vector<Ack>>(to_json(std::vector<Ack>(501, Ack{{1, 1}, kKey})).dump(),
                              "the limit is 500");
    StatusAnswer answer{{"h"}, 1, 1, true, {running(), running()}, {}};
    answer.entries[1].token = {};
    refuses<StatusAnswer>(to_json(answer).dump(), "entries[1].token is empty");
    refuses<std::vector<KillOrder>>(R"({"proto":1,"orders":[{"shard":4096}]})",
                                    "orders[0].shard must be between 0 and 4095");
    refuses<std::vector<KillOrder>>(R"({"proto":1,"orders":[5]})", "orders[0] must be an object");
}

TEST_CASE("a wrong entry of a report is named and left out, the rest is taken") {
    Report report{host(), 40, {running(), running(), ended()}};
    report.entries[1].token = {};
    const auto decoded = decode<Report>(to_json(report).dump());
    REQUIRE(decoded);
    CHECK(decoded->entries.size() == 2);
    CHECK(decoded->skipped == std::vector<std::string>{"entry 1: token is empty"});
}

TEST_CASE("what a function says cannot make its entry unreadable") {
    StatusEntry entry = ended();
    entry.message = std::string(100'000, '\xff');
    entry.error_type = std::string(1000, 'E');
    entry.progress->message = std::string(5000, '\x01');
    entry.result->content_type = "text/plain\r\nX: y";
    const auto decoded = decode<StatusEntry>(to_json(entry).dump());
    REQUIRE(decoded);
    CHECK(decoded->message.size() <= kMessageMax);
    CHECK(decoded->error_type.size() == kErrorTypeMax);
    CHECK(decoded->result->content_type.empty());
}

TEST_CASE("takes and loads are refused with the member's name") {
    const TakeRequest take{{1, 1}, kKey, kToken, {"default"}, function(), 1};
    refuses<TakeRequest>(with(take, "tenant", "../x"), "tenant is wrong");
    refuses<TakeRequest>(with(take, "function", nullptr), "function is missing");
    refuses<TakeRequest>(
        with(take, "function", parse_json(R"({"name":"a","mode":"exec","memory_mb":0})").value()),
        "function: memory_mb must be");
    refuses<TakeRequest>(with(take, "ms_left", -1), "ms_left must be between 0");
    refuses<TakeRequest>(with(take, "owner_term", nullptr), "owner_term is missing");
    const TakeAnswer answer{{"inst-1"}, "127.0.0.1:40123", "secret", true, {}};
    refuses<TakeAnswer>(with(answer, "run_token", "a\r\nb"), "run_token must be");
    const LoadRequest load{{"default"}, function(), "/x", 1};
    refuses<LoadRequest>(with(load, "code_dir", std::string("/x\0y", 4)),
                         "code_dir must not contain NUL");
    refuses<InstanceStatus>(with(InstanceStatus{"i", true, "busy", "", {}}, "state", "odd"),
                            "state is unknown: 'odd'");
}

TEST_CASE("each rank has a name") {
    CHECK(to_string(Rank::queued) == "queued");
    CHECK(to_string(Rank::ended) == "ended");
}
