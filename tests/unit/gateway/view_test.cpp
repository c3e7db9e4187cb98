#include "gateway/ledger/view.hpp"

#include "gateway/ledger/view_keys.hpp"
#include "tests/unit/gateway/view_bed.hpp"

#include <chrono>
#include <cstdio>

using namespace longhaul;
using namespace longhaul::gateway;
using test::ViewBed;
using test::ViewKind;

namespace {

constexpr TimePoint kStart{std::chrono::seconds{1'800'000'000}};

// Says what happens, in order; feeds it at once.
class Story {
public:
    explicit Story(ViewBed& view) : view_(view) {}

    void feed(Record record) {
        const std::vector<PositionedRecord> records{{++position_, std::move(record)}};
        REQUIRE(view_->apply(records).has_value());
    }

    Invocation accept(const std::string& id, const std::string& key = "",
                      const std::string& file = "") {
        Invocation invocation;
        invocation.id = {id};
        invocation.tenant = {"default"};
        FunctionSpec spec;
        spec.name = {"resize"};
        spec.version = {"sha256:1"};
        invocation.function = std::make_shared<FunctionSpec>(spec);
        invocation.created_at = now;
        invocation.options.idempotency_key = key;
        invocation.options.fingerprint = "print of " + id;
        invocation.body.file = file;
        feed(AcceptedRecord{invocation});
        return invocation;
    }

    void end(const Invocation& invocation, const std::string& result_file = "") {
        TerminalRecord record;
        record.change = {invocation.id, invocation.revision + 1, now, State::succeeded};
        record.result = Content{.file = result_file};
        feed(std::move(record));
    }

    TimePoint now = kStart;
    port::Position position() const { return position_; }

private:
    ViewBed& view_;
    port::Position position_ = 0;
};

Errc error_of_get(ViewBed& view, const std::string& id) {
    const Result<Invocation> found = view->get({id});
    REQUIRE(found.has_error());
    return found.error().code;
}

bool has_key(ViewBed& view, const std::string& key, TimePoint now) {
    const auto found = view->find_key({"default"}, {"resize"}, key, now);
    REQUIRE(found.has_value());
    return found->has_value();
}

}  // namespace

TEST_CASE("an empty view knows nothing and says so") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    CHECK(view->applied() == 0);
    CHECK(*view->persisted() == 0);
    CHECK(error_of_get(view, "nobody") == Errc::not_found);
    CHECK(view->history({"nobody"}).error().code == Errc::not_found);
    CHECK(view->list_ended({.tenant = {"default"}})->empty());
    CHECK(*view->count_ended({.tenant = {"default"}}) == 0);
    CHECK(view->files()->empty());
    const auto snapshot = view->load();
    REQUIRE(snapshot.has_value());
    CHECK(snapshot->live.empty());
    CHECK_FALSE(snapshot->limits.has_value());
}

TEST_CASE("an invocation is found from accept to end, with its history") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    const Invocation invocation = story.accept("a");
    CHECK(view->get({"a"})->state == State::queued);
    story.now += std::chrono::seconds(5);
    story.feed(StopIntentRecord{
        {{"a"}, 2, story.now, State::stopping},
        {.cause = StopCause::cancel, .by = "api", .reason = "typo", .at = story.now}});
    story.feed(TerminalRecord{{{"a"}, 3, story.now, State::failed},
                              {},
                              {},
                              Failure{.reason = FailureReason::lost, .message = "host h1"},
                              {}});
    CHECK(view->get({"a"})->state == State::failed);
    const auto history = view->history({"a"});
    REQUIRE(history.has_value());
    REQUIRE(history->size() == 3);
    CHECK(history->at(0).revision == 1);
    CHECK(history->at(0).at == kStart);
    CHECK(history->at(0).detail.empty());
    CHECK(history->at(1).state == State::stopping);
    CHECK(history->at(1).detail == "cancel by api: typo");
    CHECK(history->at(2).detail == "lost: host h1");
    CHECK(view->load()->live.empty());
    REQUIRE(view->list_ended({.tenant = {"default"}})->size() == 1);
}

TEST_CASE("a record at or below the applied position is skipped") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.end(story.accept("a"));
    CHECK(view->applied() == 2);
    // A replay may bring anything that was there before, even something that differs.
    const std::vector<PositionedRecord> again{{1, LimitsPutRecord{{.global_max = 1}}},
                                              {2, LimitsPutRecord{{.global_max = 2}}},
                                              {3, LimitsPutRecord{{.tenant_max = 3}}}};
    REQUIRE(view->apply(again).has_value());
    CHECK(view->applied() == 3);
    CHECK(view->load()->limits->global_max == RunLimits{}.global_max);
    CHECK(view->load()->limits->tenant_max == 3);
    CHECK(view->history({"a"})->size() == 2);
}

TEST_CASE("the first end stands") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    const Invocation invocation = story.accept("a");
    story.end(invocation);
    story.feed(TerminalRecord{{{"a"}, 9, story.now, State::failed}, {}, {}, {}, {}});
    story.feed(RequeuedRecord{{{"a"}, 10, story.now, State::queued}, 0});
    CHECK(view->get({"a"})->state == State::succeeded);
    CHECK(*view->count_ended({.tenant = {"default"}}) == 1);
    CHECK(view->load()->live.empty());
}

TEST_CASE("a change of an invocation that the view never saw is passed over") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.feed(RequeuedRecord{{{"x"}, 4, story.now, State::queued}, 0});
    CHECK(view->applied() == 1);
    CHECK(error_of_get(view, "x") == Errc::not_found);
}

TEST_CASE("what was flushed survives a crash and the position tells which") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.accept("a");
    view.flush();
    CHECK(*view->persisted() == 1);
    story.accept("b");
    CHECK(view->applied() == 2);
    CHECK(*view->persisted() == 1);
    view.crash(0);
    CHECK(view->applied() == 1);
    CHECK(view->get({"a"}).has_value());
    CHECK(error_of_get(view, "b") == Errc::not_found);
    CHECK(view->load()->live.size() == 1);
}

TEST_CASE("a restart finds everything") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.feed(OwnerTermRecord{.shard = 0, .term = 7});
    story.end(story.accept("a"));
    story.accept("b");
    view.restart();
    CHECK(view->applied() == 4);
    const auto snapshot = view->load();
    REQUIRE(snapshot.has_value());
    CHECK(snapshot->applied == 4);
    CHECK(snapshot->owner_term == 7);
    REQUIRE(snapshot->live.size() == 1);
    CHECK(snapshot->live[0].id.text == "b");
    CHECK(view->get({"a"})->state == State::succeeded);
}

TEST_CASE("live invocations of one version share its document after load") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.accept("a");
    story.accept("b");
    const auto snapshot = view->load();
    REQUIRE(snapshot.has_value());
    REQUIRE(snapshot->live.size() == 2);
    CHECK(snapshot->live[0].function == snapshot->live[1].function);
}

TEST_CASE("an idempotency key lives with its invocation, a day after accept, an hour after end") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    const Invocation quick = story.accept("quick", "q");
    const Invocation slow = story.accept("slow", "s");
    story.accept("forever", "f");
    story.now += std::chrono::minutes(1);
    story.end(quick);
    story.now += std::chrono::hours(30);
    story.end(slow);

    const TimePoint day = kStart + std::chrono::hours(24);
    CHECK(has_key(view, "q", day - Duration{1}));
    CHECK_FALSE(has_key(view, "q", day));
    CHECK(has_key(view, "s", story.now + std::chrono::minutes(59)));
    CHECK_FALSE(has_key(view, "s", story.now + std::chrono::minutes(60)));
    CHECK(has_key(view, "f", story.now + std::chrono::hours(1000)));
    CHECK_FALSE(has_key(view, "never", kStart));

    const auto found = view->find_key({"default"}, {"resize"}, "q", kStart);
    REQUIRE(found->has_value());
    CHECK((*found)->invocation.text == "quick");
    CHECK((*found)->fingerprint == "print of quick");
    CHECK_FALSE(view->find_key({"other"}, {"resize"}, "q", kStart)->has_value());
    CHECK_FALSE(view->find_key({"default"}, {"report"}, "q", kStart)->has_value());
}

TEST_CASE("a purge takes what ended before and leaves the rest") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.end(story.accept("old"));
    story.accept("live");
    story.now += std::chrono::hours(1);
    story.end(story.accept("young"));
    REQUIRE(view->purge_ended(kStart, 10)->empty());
    CHECK(view->get({"old"}).has_value());
    REQUIRE(view->purge_ended(kStart + Duration{1}, 10)->empty());
    CHECK(error_of_get(view, "old") == Errc::gone);
    CHECK(view->history({"old"}).error().code == Errc::gone);
    CHECK(view->get({"young"}).has_value());
    CHECK(view->get({"live"}).has_value());
    CHECK(*view->count_ended({.tenant = {"default"}}) == 1);
}

TEST_CASE("what is gone is forgotten one retention later") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.end(story.accept("a"));
    story.end(story.accept("b"));
    // Deleted by its owner: now; by retention: at retention's own time.
    story.feed(PurgedRecord{{"a"}, kStart + std::chrono::hours(10)});
    REQUIRE(view->purge_ended(kStart + Duration{1}, 10).has_value());
    CHECK(error_of_get(view, "a") == Errc::gone);
    CHECK(error_of_get(view, "b") == Errc::gone);
    REQUIRE(view->purge_ended(kStart + std::chrono::hours(11), 10).has_value());
    CHECK(error_of_get(view, "a") == Errc::not_found);
    CHECK(error_of_get(view, "b") == Errc::gone);
    REQUIRE(view->purge_ended(kStart + std::chrono::hours(8 * 24), 10).has_value());
    CHECK(error_of_get(view, "b") == Errc::not_found);
}

TEST_CASE("a purge keeps a key until it expires, and never takes another's") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    const Invocation first = story.accept("first", "k");
    story.end(first);
    story.feed(PurgedRecord{{"first"}, kStart + std::chrono::minutes(1)});
    CHECK(error_of_get(view, "first") == Errc::gone);
    CHECK(has_key(view, "k", kStart + std::chrono::hours(2)));

    story.now += std::chrono::hours(48);
    const Invocation second = story.accept("second", "k");
    REQUIRE(view->purge_ended(story.now, 10).has_value());
    REQUIRE(has_key(view, "k", story.now));
    story.end(second);
    story.now += std::chrono::hours(48);
    REQUIRE(view->purge_ended(story.now, 10).has_value());
    CHECK_FALSE(has_key(view, "k", kStart));
}

TEST_CASE("a purge frees the files that nobody else refers to") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.end(story.accept("a", "", "body"), "result-a");
    story.now += std::chrono::hours(1);
    story.end(story.accept("b", "", "body"), "result-b");
    story.end(story.accept("c", "", "other"));
    story.accept("d", "", "other");
    CHECK(*view->files() == std::vector<std::string>{"body", "other", "result-a", "result-b"});
    CHECK(*view->purge_ended(kStart + Duration{1}, 10) == std::vector<std::string>{"result-a"});
    CHECK(*view->purge_ended(story.now + Duration{1}, 10) ==
          std::vector<std::string>{"body", "result-b"});
    CHECK(*view->files() == std::vector<std::string>{"other"});
}

TEST_CASE("two that end together and share a file free it once") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    story.end(story.accept("a", "", "body"));
    story.end(story.accept("b", "", "body"));
    CHECK(*view->purge_ended(kStart + Duration{1}, 10) == std::vector<std::string>{"body"});
}

TEST_CASE("a function keeps its pause over a new version, and its versions are bounded") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks),
                 ViewOptions{.function_versions_kept = 3}};
    Story story{view};
    const auto put = [&story](int number) {
        FunctionSpec spec;
        spec.name = {"resize"};
        spec.version = {"sha256:" + std::to_string(number)};
        story.now += std::chrono::seconds(1);
        story.feed(FunctionPutRecord{{"default"}, std::make_shared<FunctionSpec>(spec), story.now});
    };
    put(1);
    story.feed(QueuePausedRecord{{"default"}, {"resize"}, true});
    for (const int number : {2, 3, 4, 5}) put(number);
    const auto snapshot = view->load();
    REQUIRE(snapshot->functions.size() == 1);
    CHECK(snapshot->functions[0].paused);
    CHECK(snapshot->functions[0].current->version.text == "sha256:5");
    const auto versions = view->versions({"default"}, {"resize"});
    REQUIRE(versions->size() == 3);
    CHECK(versions->at(0).current->version.text == "sha256:5");
    CHECK(versions->at(2).current->version.text == "sha256:3");
    story.feed(FunctionDeletedRecord{{"default"}, {"resize"}, story.now});
    CHECK(view->load()->functions.empty());
    CHECK(view->versions({"default"}, {"resize"})->empty());
}

TEST_CASE("names, labels and keys of any bytes do not run into each other") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    Story story{view};
    using namespace std::string_literals;
    const std::vector<std::string> texts{""s, "a"s, "a\0"s, "a\0\x01"s, "a\0\xff"s, "a\xff\xff"s};
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Invocation invocation = story.accept("id" + std::to_string(i));
        invocation.id = {"labelled" + std::to_string(i)};
        invocation.options.labels = {{texts[i], "v"}};
        story.feed(AcceptedRecord{invocation});
        story.end(invocation);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto found = view->list_ended({.tenant = {"default"}, .labels = {{texts[i], "v"}}});
        REQUIRE(found->size() == 1);
        CHECK(found->at(0).id.text == "labelled" + std::to_string(i));
    }
}

TEST_CASE("times before 1970 and beyond sort as they should") {
    const auto key = [](std::int64_t count) {
        return keys::with_time("s", TimePoint{Duration{count}}, {"a"});
    };
    CHECK(key(INT64_MIN) < key(-1));
    CHECK(key(-1) < key(0));
    CHECK(key(0) < key(1));
    CHECK(key(1) < key(INT64_MAX));
}

TEST_CASE("an error of the store reaches the feeder and changes nothing") {
    MemoryStore store;
    auto opened = MemoryView::open(store, {});
    REQUIRE(opened.has_value());
    View& view = **opened;
    store.fail_writes(make_error(Errc::io_failed, "EIO"));
    const std::vector<PositionedRecord> records{{1, LimitsPutRecord{{.tenant_max = 3}}}};
    CHECK(view.apply(records).error().code == Errc::io_failed);
    CHECK(view.flush().error().code == Errc::io_failed);
    CHECK(view.applied() == 0);
    store.fail_writes({});
    REQUIRE(view.apply(records).has_value());
    CHECK(view.applied() == 1);
    CHECK(view.load()->limits->tenant_max == 3);
}

TEST_CASE("a folder in use, or unusable, is a clear error") {
    test::TempFolder folder;
    const auto first = RocksView::open(folder / "view", {});
    REQUIRE(first.has_value());
    const auto second = RocksView::open(folder / "view", {});
    REQUIRE(second.has_error());
    CHECK(second.error().code == Errc::io_failed);
    const auto nowhere = RocksView::open("/proc/no-such-place/view", {});
    REQUIRE(nowhere.has_error());
    CHECK(nowhere.error().code == Errc::io_failed);
}
