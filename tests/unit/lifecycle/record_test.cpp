// What each record does to its invocation. Guards I5: a record applies once, whatever is replayed.
#include "longhaul/lifecycle/record.hpp"

#include "tests/support/catch.hpp"

#include <vector>

namespace longhaul {
namespace {

const InvocationId kId{"inv-1"};
constexpr TimePoint kStart{std::chrono::seconds(1'800'000'000)};

TimePoint at(int seconds) { return kStart + std::chrono::seconds(seconds); }

Invocation fresh() {
    FunctionSpec spec;
    spec.name = FunctionName{"f"};
    Invocation invocation;
    invocation.id = kId;
    invocation.tenant = TenantName{"t"};
    invocation.function = std::make_shared<const FunctionSpec>(spec);
    invocation.created_at = kStart;
    return invocation;
}

Change change(std::uint32_t revision, State state, int seconds) {
    return Change{kId, revision, at(seconds), state};
}

Attempt attempt(AttemptNumber number) {
    Attempt result;
    result.number = number;
    result.token = Token{"token-" + std::to_string(number)};
    result.host = HostId{"h1"};
    result.dispatched_at = at(1);
    return result;
}

AttemptEnd end_of(AttemptNumber number, AttemptOutcome outcome) {
    AttemptEnd end;
    end.attempt = number;
    end.outcome = outcome;
    end.instance = InstanceId{"i1"};
    end.exit_code = 3;
    end.usage.cpu_seconds = 1.5;
    end.trace = {{"load", 2.0}};
    return end;
}

Stop stop_of(StopCause cause) {
    Stop stop;
    stop.cause = cause;
    stop.by = "api";
    stop.at = at(5);
    return stop;
}

Record dispatching(std::uint32_t revision, AttemptNumber number, std::uint32_t tries = 0) {
    return DispatchingRecord{change(revision, State::dispatching, 1), attempt(number), tries};
}

Record started(std::uint32_t revision, AttemptNumber number) {
    return StartedRecord{
        change(revision, State::running, 2), number, InstanceId{"i1"}, {{"take", 1.0}}};
}

bool put(const Record& record, Invocation& invocation) {
    return longhaul::apply(record, invocation);
}

// A whole life, with one of each record that changes an invocation.
std::vector<Record> life() {
    TerminalRecord terminal;
    terminal.change = change(9, State::killed, 9);
    terminal.end = end_of(2, AttemptOutcome::killed);
    terminal.stop = stop_of(StopCause::kill);
    terminal.stop->confirmed = true;
    return {dispatching(2, 1),
            started(3, 1),
            AttemptEndedRecord{change(4, State::retrying, 4), end_of(1, AttemptOutcome::failed)},
            RequeuedRecord{change(5, State::queued, 5), 0},
            dispatching(6, 2),
            StopIntentRecord{change(7, State::stopping, 7), stop_of(StopCause::kill)},
            FencedRecord{change(8, State::stopping, 8), 2},
            terminal};
}

bool same(const Invocation& left, const Invocation& right) {
    return left.state == right.state && left.revision == right.revision &&
           left.attempts == right.attempts && left.route_tries == right.route_tries &&
           left.started_at == right.started_at && left.ended_at == right.ended_at &&
           left.stop == right.stop && left.result == right.result &&
           left.failure == right.failure && left.phase == right.phase;
}

}  // namespace

TEST_CASE("a dispatching record adds an attempt") {
    Invocation invocation = fresh();
    CHECK(put(dispatching(2, 1, 3), invocation));
    CHECK(invocation.state == State::dispatching);
    CHECK(invocation.revision == 2);
    CHECK(invocation.attempts == std::vector{attempt(1)});
    CHECK(invocation.route_tries == 3);
    CHECK(invocation.phase == Phase::acquiring_route);
}

TEST_CASE("an attempt that certainly never started leaves nothing behind once the next begins") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    CHECK(put(RequeuedRecord{change(3, State::queued, 3), 1}, invocation));
    CHECK(invocation.state == State::queued);
    CHECK(invocation.route_tries == 1);
    CHECK(invocation.current()->outcome == AttemptOutcome::route_error);
    CHECK(invocation.current()->ended_at == at(3));
    put(dispatching(4, 2, 1), invocation);
    CHECK(invocation.attempts == std::vector{attempt(2)});
}

TEST_CASE("a started record shows when and where the attempt and the invocation started") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    CHECK(put(started(3, 1), invocation));
    CHECK(invocation.state == State::running);
    CHECK(invocation.started_at == at(2));
    CHECK(invocation.current()->started_at == at(2));
    CHECK(invocation.current()->instance == InstanceId{"i1"});
    CHECK(invocation.current()->trace == StageTrace{{"take", 1.0}});
    CHECK(invocation.phase == Phase::none);
}

TEST_CASE("an ended attempt keeps how it ended, and its stop is over") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    put(started(3, 1), invocation);
    put(StopIntentRecord{change(4, State::stopping, 4), stop_of(StopCause::timeout)}, invocation);
    CHECK(invocation.stop == stop_of(StopCause::timeout));
    const AttemptEnd end = end_of(1, AttemptOutcome::timed_out);
    CHECK(put(AttemptEndedRecord{change(5, State::retrying, 5), end}, invocation));
    CHECK(invocation.state == State::retrying);
    CHECK(invocation.stop == Stop{});
    CHECK(invocation.current()->outcome == AttemptOutcome::timed_out);
    CHECK(invocation.current()->exit_code == 3);
    CHECK(invocation.current()->usage.cpu_seconds == 1.5);
    CHECK(invocation.current()->ended_at == at(5));
    CHECK(invocation.current()->started_at == at(2));
}

TEST_CASE("a second start keeps the invocation's first start") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    put(started(3, 1), invocation);
    put(AttemptEndedRecord{change(4, State::retrying, 4), end_of(1, AttemptOutcome::failed)},
        invocation);
    put(RequeuedRecord{change(5, State::queued, 5), 0}, invocation);
    CHECK(invocation.current()->outcome == AttemptOutcome::failed);
    put(dispatching(6, 2), invocation);
    put(StartedRecord{change(7, State::running, 30), 2, {}, {}}, invocation);
    CHECK(invocation.attempts.size() == 2);
    CHECK(invocation.started_at == at(2));
    CHECK(invocation.current()->started_at == at(30));
}

TEST_CASE("a fence marks its attempt and no other") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    CHECK(put(FencedRecord{change(3, State::dispatching, 3), 1}, invocation));
    CHECK(invocation.current()->fenced);
    CHECK_FALSE(invocation.current()->outcome);
    CHECK(put(FencedRecord{change(4, State::dispatching, 4), 7}, invocation));
    CHECK(invocation.attempts.size() == 1);
}

TEST_CASE("a terminal record carries the end, the result and the stop as it stands") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    invocation.suspect = true;
    TerminalRecord record;
    record.change = change(3, State::succeeded, 6);
    record.end = end_of(1, AttemptOutcome::succeeded);
    record.end->started_at = at(4);
    record.result = Content{"text/plain", "yes", "", 3, "aa"};
    CHECK(put(record, invocation));
    CHECK(invocation.state == State::succeeded);
    CHECK(invocation.ended_at == at(6));
    CHECK(invocation.result == record.result);
    CHECK_FALSE(invocation.failure);
    CHECK_FALSE(invocation.suspect);
    CHECK(invocation.started_at == at(4));  // the end was the first that was heard of it
}

TEST_CASE("a first end of an attempt stands against a later one") {
    Invocation invocation = fresh();
    put(dispatching(2, 1), invocation);
    put(AttemptEndedRecord{change(3, State::retrying, 3), end_of(1, AttemptOutcome::failed)},
        invocation);
    put(AttemptEndedRecord{change(4, State::retrying, 4), end_of(1, AttemptOutcome::succeeded)},
        invocation);
    CHECK(invocation.current()->outcome == AttemptOutcome::failed);
    CHECK(invocation.current()->ended_at == at(3));
}

TEST_CASE("a record whose revision is not newer changes nothing") {
    const std::vector<Record> records = life();
    Invocation invocation = fresh();
    for (std::size_t index = 0; index < records.size(); ++index) {
        REQUIRE(put(records[index], invocation));
        const Invocation before = invocation;
        for (std::size_t earlier = 0; earlier <= index; ++earlier)
            CHECK_FALSE(put(records[earlier], invocation));
        CHECK(same(before, invocation));
    }
    CHECK(invocation.state == State::killed);
}

TEST_CASE("a replay that begins anywhere before the state reaches the same end") {
    const std::vector<Record> records = life();
    Invocation straight = fresh();
    for (const Record& record : records) put(record, straight);
    for (std::size_t kept = 0; kept <= records.size(); ++kept) {
        Invocation invocation = fresh();
        for (std::size_t index = 0; index < kept; ++index) put(records[index], invocation);
        for (const Record& record : records) put(record, invocation);
        CHECK(same(straight, invocation));
    }
}

TEST_CASE("every record says whom it is about") {
    for (const Record& record : life()) {
        REQUIRE(change_of(record) != nullptr);
        REQUIRE(invocation_of(record) != nullptr);
        CHECK(*invocation_of(record) == kId);
    }
    const Record accepted = AcceptedRecord{fresh()};
    CHECK(change_of(accepted) == nullptr);
    REQUIRE(invocation_of(accepted) != nullptr);
    CHECK(*invocation_of(accepted) == kId);
    const Record purged = PurgedRecord{kId, at(1)};
    REQUIRE(invocation_of(purged) != nullptr);
    CHECK(*invocation_of(purged) == kId);
    for (const Record& record : {Record{OwnerTermRecord{0, 1}}, Record{FunctionPutRecord{}},
                                 Record{FunctionDeletedRecord{}}, Record{LimitsPutRecord{}},
                                 Record{QueuePausedRecord{}}}) {
        CHECK(change_of(record) == nullptr);
        CHECK(invocation_of(record) == nullptr);
    }
}

}  // namespace longhaul
