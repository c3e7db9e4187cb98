#include "gateway/ledger/record_codec.hpp"
#include "tests/unit/gateway/history_maker.hpp"
#include "tests/unit/gateway/record_maker.hpp"
#include "tests/unit/gateway/view_bed.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

using namespace longhaul;
using namespace longhaul::gateway;
using test::HistoryMaker;
using test::ViewBed;
using test::ViewKind;
using test::ViewModel;

namespace {

std::string row(const Invocation& invocation) { return encode_invocation(invocation); }

void require_same_state(ViewBed& view, const ViewModel& model) {
    const auto snapshot = view->load();
    REQUIRE(snapshot.has_value());
    CHECK(snapshot->limits == model.limits);
    CHECK(view->ended_count() == model.ended_count());
    CHECK(snapshot->owner_term == model.owner_term);
    std::vector<std::string> live;
    for (const Invocation& invocation : snapshot->live) live.push_back(invocation.id.text);
    std::ranges::sort(live);
    REQUIRE(live == model.live_ids());
    REQUIRE(snapshot->functions.size() == model.functions.size());
    for (const StoredFunction& function : snapshot->functions) {
        const auto& expected =
            model.functions.at(function.tenant.text + "/" + function.current->name.text);
        REQUIRE(*function.current == *expected.current);
        REQUIRE(function.paused == expected.paused);
        REQUIRE(function.updated_at == expected.updated_at);
    }
    for (const auto& [id, invocation] : model.invocations) {
        const auto found = view->get({id});
        REQUIRE(found.has_value());
        REQUIRE(row(*found) == row(invocation));
        REQUIRE(view->history({id})->size() == model.history_lines.at(id));
    }
    for (const std::string& id : model.purged) REQUIRE(view->get({id}).error().code == Errc::gone);
    const auto files = view->files();
    REQUIRE(std::set<std::string>(files->begin(), files->end()) == model.files());
}

// Pages through a query and compares with the model's whole list.
void require_same_list(ViewBed& view, const ViewModel& model, ListQuery query) {
    const std::vector<Invocation> expected = model.list(query);
    REQUIRE(*view->count_ended(query) == expected.size());
    std::size_t seen = 0;
    while (true) {
        const auto page = view->list_ended(query);
        REQUIRE(page.has_value());
        REQUIRE(page->size() == std::min<std::size_t>(query.limit, expected.size() - seen));
        for (const Invocation& invocation : *page)
            REQUIRE(row(invocation) == row(expected.at(seen++)));
        if (page->size() < query.limit) return;
        query.after = {page->back().created_at, page->back().id};
    }
}

}  // namespace

TEST_CASE("a view says what the records add up to, over crashes and purges, by seed") {
    const auto kind = GENERATE(ViewKind::memory, ViewKind::rocks);
    const auto seed = GENERATE(range(1, 6));
    CAPTURE(seed);
    test::SeededRandom random{static_cast<std::uint64_t>(seed) * 1000};
    const auto records = HistoryMaker{static_cast<std::uint64_t>(seed)}.next(700);
    ViewBed view{kind};

    for (int life = 0; life < 6; ++life) {
        std::size_t fed = view->applied();
        for (int batch = 0; batch < 6 && fed < records.size(); ++batch) {
            const std::size_t end = std::min(records.size(), fed + 1 + random.below(50));
            // A replay begins somewhere before: what is known is skipped.
            const std::size_t begin = fed - random.below(std::min<std::size_t>(fed, 10) + 1);
            REQUIRE(view->apply({records.begin() + static_cast<std::ptrdiff_t>(begin),
                                 records.begin() + static_cast<std::ptrdiff_t>(end)})
                        .has_value());
            fed = end;
            REQUIRE(view->applied() == fed);
            if (random.chance(0.3)) view.flush();
        }
        const port::Position persisted = *view->persisted();
        view.crash(random.below(5));
        REQUIRE(view->applied() >= persisted);
        REQUIRE(view->applied() <= fed);
        ViewModel model;
        model.apply(
            {records.begin(), records.begin() + static_cast<std::ptrdiff_t>(view->applied())});
        require_same_state(view, model);
    }
}

TEST_CASE("lists, counts and cursors agree with a plain filter, by seed") {
    const auto kind = GENERATE(ViewKind::memory, ViewKind::rocks);
    const auto seed = GENERATE(range(1, 4));
    CAPTURE(seed);
    test::SeededRandom random{static_cast<std::uint64_t>(seed) * 2000};
    HistoryMaker history{static_cast<std::uint64_t>(seed)};
    ViewBed view{kind};
    ViewModel model;
    for (int round = 0; round < 4; ++round) {
        const auto records = history.next(300);
        REQUIRE(view->apply(records).has_value());
        model.apply(records);
        for (int i = 0; i < 40; ++i) require_same_list(view, model, test::random_query(random));
        const TimePoint before = test::kSampleTime + std::chrono::milliseconds(random.below(4000));
        const auto max = static_cast<std::uint32_t>(random.below(100));
        const std::set<std::string> files_before = model.files();
        const auto purged = view->purge_ended({before, max});
        REQUIRE(purged.has_value());
        const auto& freed = purged->files;
        model.purge(before, max);
        std::set<std::string> expected;
        std::ranges::set_difference(files_before, model.files(),
                                    std::inserter(expected, expected.end()));
        REQUIRE(std::set<std::string>(freed.begin(), freed.end()) == expected);
        require_same_state(view, model);
    }
}

namespace {

std::uint64_t resident_kib() {
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
    return 0;
}

Invocation plain_invocation(std::uint64_t number,
                            const std::shared_ptr<const FunctionSpec>& function) {
    Invocation invocation;
    invocation.id = make_invocation_id(test::kSampleTime + std::chrono::milliseconds(number), 0,
                                       number * 0x9e3779b97f4a7c15ULL);
    invocation.tenant = {"default"};
    invocation.function = function;
    invocation.body = {.content_type = "application/json",
                       .inline_bytes = std::string(100, 'x'),
                       .size = 100,
                       .sha256 = std::string(64, 'a')};
    invocation.created_at = test::kSampleTime + std::chrono::milliseconds(number);
    invocation.state = State::dispatching;
    invocation.attempts = {{.number = 1,
                            .token = {std::string(32, 't')},
                            .host = {"host-1"},
                            .host_address = "127.0.0.1:7090",
                            .dispatched_at = invocation.created_at}};
    return invocation;
}

}  // namespace

TEST_CASE("how fast 100,000 invocations are applied, printed", "[.][speed]") {
    ViewBed view{GENERATE(ViewKind::memory, ViewKind::rocks)};
    const auto function = std::make_shared<FunctionSpec>(
        std::get<FunctionPutRecord>(test::sample_records().at(1)).function.operator*());
    const std::uint64_t rss_before = resident_kib();
    constexpr std::uint64_t kCount = 100'000;
    // Each start and each end comes so many accepts later, in batches of the feeder's.
    constexpr std::uint64_t kRunning = 1000;
    constexpr std::size_t kBatch = 256;
    port::Position position = 0;
    std::vector<PositionedRecord> batch;
    std::chrono::steady_clock::duration spent{};
    const auto feed = [&](Record record) {
        batch.push_back({++position, std::move(record)});
        if (batch.size() < kBatch) return;
        const auto begin = std::chrono::steady_clock::now();
        REQUIRE(view->apply(batch).has_value());
        spent += std::chrono::steady_clock::now() - begin;
        batch.clear();
    };
    for (std::uint64_t i = 0; i < kCount + kRunning; ++i) {
        if (i < kCount) feed(AcceptedRecord{plain_invocation(i, function)});
        if (i < kRunning) continue;
        const Invocation invocation = plain_invocation(i - kRunning, function);
        const Change start{invocation.id, 2, invocation.created_at, State::running};
        feed(StartedRecord{start, 1, {"i"}, {}});
        feed(TerminalRecord{{invocation.id, 3, invocation.created_at, State::succeeded},
                            AttemptEnd{.attempt = 1, .outcome = AttemptOutcome::succeeded},
                            Content{.inline_bytes = "ok", .size = 2},
                            {},
                            {}});
    }
    const std::chrono::duration<double, std::micro> micros = spent;
    const auto begin = std::chrono::steady_clock::now();
    const auto page = view->list_ended({.tenant = {"default"}});
    const std::chrono::duration<double, std::micro> listing =
        std::chrono::steady_clock::now() - begin;
    REQUIRE(page->size() == 50);
    std::printf("apply: %.1f us per invocation; list of 50: %.0f us; resident %llu -> %llu KiB\n",
                micros.count() / static_cast<double>(kCount), listing.count(),
                static_cast<unsigned long long>(rss_before),
                static_cast<unsigned long long>(resident_kib()));
}
