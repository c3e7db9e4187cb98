#include "gateway/driver/event_publisher.hpp"
#include "gateway/driver/event_document.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/workers.hpp"
#include "longhaul/wire/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_event_sink.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"
#include "tests/unit/gateway/record_maker.hpp"

namespace longhaul::gateway {
namespace {

using std::chrono::seconds;
using Ids = std::vector<std::string>;

Invocation invocation_named(const std::string& id) {
    FunctionSpec spec;
    spec.name = FunctionName{"report"};
    spec.version = Digest{"sha256:77"};
    Invocation made;
    made.id = InvocationId{id};
    made.tenant = TenantName{"acme"};
    made.function = std::make_shared<const FunctionSpec>(spec);
    made.options.labels = {{"team", "blue"}};
    made.created_at = test::kSampleTime;
    return made;
}

// The machine on which one publisher lives after another.
struct Bed {
    Bed() { disk.make_dir("data").value(); }
    ~Bed() { die(); }

    void begin(port::JournalOpening opening = {}) {
        publisher.emplace(io.get_executor(), EventOutlet{sink, cursor}, clock, Logger(), limits);
        first = publisher->open(opening).value();
        tasks.emplace(io.get_executor(), Logger());
        tasks->start("events", publisher->run());
    }
    void die() {
        if (!publisher) return;
        tasks->cancel();
        test::run_for(io, clock, Duration::zero());
        tasks.reset();
        publisher.reset();
    }
    // The next change of `id`, as it becomes durable.
    void change(const std::string& id, State state = State::running) {
        const Invocation about = invocation_named(id);
        const std::uint32_t revision = ++revisions[id];
        Record record = RequeuedRecord{Change{about.id, revision, clock.now(), state}, 0};
        if (revision == 1) record = AcceptedRecord{about};
        journal.push_back(PositionedRecord{++position, std::move(record)});
        publisher->add(journal.back(), &about);
    }
    // What a restart reads from the journal.
    void replay() {
        for (const PositionedRecord& positioned : journal) {
            const Invocation about = invocation_named(invocation_of(positioned.record)->text);
            if (positioned.position >= first) publisher->add(positioned, &about);
        }
    }
    void pass(Duration span) { test::run_for(io, clock, span); }

    test::FakeClock clock;
    boost::asio::io_context io;
    test::MemoryDisk disk;
    system::InlineWorkers workers;
    test::FakeEventSink sink{1};
    EventCursor cursor{disk, workers, "data/events.position"};
    EventLimits limits{};
    std::optional<EventPublisher> publisher;
    std::optional<net::TaskGroup> tasks;
    std::map<std::string, std::uint32_t> revisions;
    std::vector<PositionedRecord> journal;
    port::Position position = 0;
    port::Position first = 0;
};

}  // namespace

TEST_CASE("events go out in the order of the journal, and the journal is free up to them") {
    Bed bed;
    bed.begin();
    CHECK(bed.first == 1);
    bed.change("a");
    bed.change("b");
    bed.change("a");
    bed.pass(seconds(2));
    CHECK(bed.sink.ids() == Ids{"a.1", "b.1", "a.2"});
    CHECK(bed.publisher->held() == 3);
}

TEST_CASE("records that are no event free the journal too") {
    Bed bed;
    bed.begin();
    bed.publisher->add(PositionedRecord{1, OwnerTermRecord{0, 1}}, nullptr);
    bed.pass(seconds(2));
    CHECK(bed.sink.calls() == 0);
    CHECK(bed.publisher->held() == 1);
}

TEST_CASE("a sink that fails gets everything again until it has taken it, in order") {
    Bed bed;
    bed.limits.batch_max = 4;
    bed.sink.set_failures(0.7);
    bed.begin();
    for (int i = 0; i < 50; ++i) {
        bed.change("a");
        bed.change("b");
    }
    bed.pass(seconds(300));
    CHECK(bed.sink.wrong().empty());
    CHECK(bed.sink.complete_to("a") == 50);
    CHECK(bed.sink.complete_to("b") == 50);
    CHECK(bed.publisher->held() == 100);
}

TEST_CASE("a restart publishes what was not out, and nothing that was known to be") {
    Bed bed;
    bed.begin();
    bed.change("a");
    bed.change("a");
    bed.pass(seconds(2));
    bed.sink.set_away(true);
    bed.change("a");
    bed.change("a");
    bed.pass(seconds(2));
    CHECK(bed.publisher->held() == 2);
    bed.die();
    bed.sink.set_away(false);
    bed.begin({.first = 1, .last = 4});
    CHECK(bed.first == 3);
    bed.replay();
    bed.pass(seconds(2));
    CHECK(bed.sink.ids() == Ids{"a.1", "a.2", "a.3", "a.4"});
}

TEST_CASE("an outlet that was never used begins with what comes next") {
    Bed bed;
    bed.begin({.first = 1, .last = 10});
    CHECK(bed.first == 11);
    CHECK(bed.publisher->held() == 10);
    bed.die();
    bed.begin({.first = 1, .last = 12});
    CHECK(bed.first == 11);
}

TEST_CASE("an outlet's first life that ends at once has told where events begin") {
    Bed bed;
    bed.begin();
    bed.die();
    bed.begin(port::JournalOpening{.first = 1, .last = 2});  // what that life accepted
    CHECK(bed.first == 1);
}

TEST_CASE("beyond the bound the oldest events are given up, and one event says which") {
    Bed bed;
    bed.limits.backlog_max = 10;
    bed.sink.set_away(true);
    bed.begin();
    for (int i = 0; i < 25; ++i) bed.change("a");
    bed.pass(seconds(5));
    CHECK(bed.publisher->backlog() == 10);
    CHECK(bed.publisher->held() == 15);  // what was given up holds nothing
    bed.sink.set_away(false);
    bed.pass(seconds(5));
    const Ids ids = bed.sink.ids();
    REQUIRE(ids.size() == 11);
    CHECK(ids.front() == "gap.1.15");
    CHECK(ids[1] == "a.16");
    CHECK(ids.back() == "a.25");
    const auto gap = wire::parse_json(bed.sink.taken().front().body).value();
    CHECK(*gap["type"].as_string() == "dev.longhaul.events.gap");
    CHECK(*gap["data"]["events"].as_integer() == 15);
}

TEST_CASE("what the journal no longer has is a gap") {
    Bed bed;
    bed.begin();
    bed.change("a");
    bed.pass(seconds(2));
    bed.die();
    bed.begin({.first = 6, .last = 9});
    CHECK(bed.first == 6);
    bed.pass(seconds(2));
    CHECK(bed.sink.ids() == Ids{"a.1", "gap.2.5"});
}

TEST_CASE("a cursor that makes no sense publishes everything again") {
    Bed bed;
    bed.begin();
    bed.change("a");
    bed.pass(seconds(2));
    bed.die();
    const std::string nonsense = "1x";
    auto file = bed.disk.open("data/events.position", port::OpenMode::write).value();
    REQUIRE(file->write_at(0, std::as_bytes(std::span{nonsense})));
    file.reset();
    bed.begin({.first = 1, .last = 1});
    CHECK(bed.first == 1);
}

TEST_CASE("an orderly end publishes what waits and stores how far it is") {
    Bed bed;
    bed.begin();
    bed.pass(seconds(2));
    for (int i = 0; i < 5; ++i) bed.change("a");
    bed.tasks->start("finish", bed.publisher->finish(bed.clock.now() + seconds(2)));
    bed.pass(Duration::zero());
    CHECK(bed.sink.ids().size() == 5);
    CHECK(bed.publisher->held() == 5);
}

TEST_CASE("an orderly end without a sink stores how far it was") {
    Bed bed;
    bed.begin();
    bed.pass(seconds(2));
    bed.change("a");
    bed.pass(Duration::zero());
    bed.sink.set_away(true);
    bed.change("a");
    bed.tasks->start("finish", bed.publisher->finish(bed.clock.now() + seconds(2)));
    bed.pass(seconds(2));
    CHECK(bed.publisher->held() == 1);
}

TEST_CASE("an end of an invocation is an event with its error and its result, without its bytes") {
    const Invocation about = invocation_named("a");
    TerminalRecord terminal;
    terminal.change = Change{about.id, 4, test::kSampleTime, State::failed};
    terminal.end = AttemptEnd{};
    terminal.end->attempt = 2;
    terminal.failure = Failure{};
    terminal.failure->reason = FailureReason::exit;
    terminal.failure->message = "exit code 3";
    terminal.failure->exit_code = 3;
    terminal.result = Content{"text/plain", "secret", "", 6, "ab12"};
    const auto event = event_of(PositionedRecord{9, terminal}, about, "/here");
    CHECK(event.id == "a.4");
    CHECK(event.order == "a");
    CHECK(event.subject == "longhaul.v1.events.acme.report.failed");
    CHECK(event.body ==
          R"({"specversion":"1.0","id":"a.4","source":"/here","type":)"
          R"("dev.longhaul.invocation.failed","time":"2027-01-15T08:00:00.000Z",)"
          R"("datacontenttype":"application/json","subject":"a","sequence":"4",)"
          R"("partitionkey":"a","data":{"id":"a","tenant":"acme","function":"report",)"
          R"("version":"sha256:77","state":"failed","revision":4,"attempt":2,)"
          R"("labels":{"team":"blue"},"error":{"type":null,"reason":"exit","fault":"function",)"
          R"("message":"exit code 3","exit_code":3,"signal":null},"result":{"size":6,)"
          R"("content_type":"text/plain","sha256":"ab12"}}})");
}

TEST_CASE("every kind of change of an invocation has its event") {
    for (const Record& record : test::sample_records()) {
        if (!is_event(record)) continue;
        const InvocationId* id = invocation_of(record);
        REQUIRE(id);
        const auto event = event_of(PositionedRecord{1, record}, invocation_named(id->text), "/x");
        const auto document = wire::parse_json(event.body);
        REQUIRE(document);
        CHECK(*(*document)["subject"].as_string() == id->text);
        CHECK(event.subject.starts_with("longhaul.v1.events.acme.report."));
    }
}

}  // namespace longhaul::gateway
