// Taking work in: submit, stop, functions, packages.
#include "gateway/driver/disk_watch.hpp"
#include "gateway/driver/handle.hpp"
#include "longhaul/base/config.hpp"
#include "longhaul/crypto/sha256.hpp"
#include "longhaul/wire/function_json.hpp"

#include <algorithm>
#include <array>

namespace longhaul::gateway {
namespace {

// A file of a body store that goes away with its holder, unless it is kept.
class StoredFile {
public:
    StoredFile(net::TaskGroup& tasks, BodyStore& store, std::string file)
        : tasks_(tasks), store_(store), file_(std::move(file)) {}
    ~StoredFile() {
        if (!file_.empty()) tasks_.start("drop_file", store_.remove(std::move(file_)));
    }
    StoredFile(const StoredFile&) = delete;
    StoredFile& operator=(const StoredFile&) = delete;

    void keep() { file_.clear(); }

private:
    net::TaskGroup& tasks_;
    BodyStore& store_;
    std::string file_;
};

Error no_such_function(const FunctionName& name) {
    return make_error(Errc::not_found, "there is no function \"" + name.text + "\"",
                      "unknown-function");
}

Error body_too_large(std::uint64_t bytes, std::uint64_t limit) {
    Error error = make_error(Errc::too_large,
                             "the body of " + std::to_string(bytes) +
                                 " bytes is larger than the function's body_max of " +
                                 format_bytes(limit) + " (" + std::to_string(limit) + " bytes)");
    error.limit = limit;
    error.scope = "function";
    return error;
}

Error is_draining() {
    return make_error(Errc::unavailable, "the gateway is stopping and takes no new work",
                      "draining");
}

std::string fingerprint_of(const SubmitInput& input, const Content& body) {
    crypto::Sha256 hash;
    for (const std::string& part :
         {input.function.text, input.content_type, body.sha256, input.options_text}) {
        hash.update(std::to_string(part.size()) + ":");  // so that no two splits are alike
        hash.update(part);
    }
    return hash.finish_hex();
}

bool looks_like_archive(std::string_view head) {
    using std::string_view_literals::operator""sv;
    for (const std::string_view magic : {"\x28\xb5\x2f\xfd"sv, "\x1f\x8b"sv, "PK\x03\x04"sv})
        if (head.starts_with(magic)) return true;
    return head.size() > 262 && head.substr(257, 5) == "ustar";
}

}  // namespace

Result<void> Gateway::may_submit(const SubmitInput& input) const {
    if (draining_) return is_draining();
    const FunctionQueue* queue = scheduler_.function(input.tenant, input.function);
    if (!queue) return no_such_function(input.function);
    if (ports_.space)
        if (auto room = ports_.space->has_room(); !room) return room;
    const std::uint64_t limit = queue->current->body_max;
    // What may be known already (a key, an id) is told so whatever the queue.
    if (!input.chosen_id && input.options.idempotency_key.empty())
        if (auto room =
                scheduler_.has_room(ports_.clock.now(), *queue, input.content_length.value_or(0));
            !room)
            return room;
    if (input.content_length && *input.content_length > limit)
        return body_too_large(*input.content_length, limit);
    return {};
}

boost::asio::awaitable<Result<Submitted>> Gateway::submit(SubmitInput input) {
    port::Position position = 0;
    auto answer = co_await take_in(std::move(input), position);
    if (!answer) co_return answer;
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

boost::asio::awaitable<std::vector<Result<Submitted>>> Gateway::submit_all(
    std::vector<SubmitInput> inputs) {
    std::vector<Result<Submitted>> answers;
    port::Position last = 0;
    for (SubmitInput& input : inputs) {
        port::Position position = 0;
        auto answer = co_await take_in(std::move(input), position);
        last = std::max(last, position);
        answers.push_back(std::move(answer));
    }
    auto durable = co_await commits_.wait_durable(last);
    if (durable) co_return answers;
    for (Result<Submitted>& answer : answers)
        if (answer) answer = durable.error();
    co_return answers;
}

// `position` is what the answer, if it is none that was known, has to wait for.
boost::asio::awaitable<Result<Submitted>> Gateway::take_in(SubmitInput input,
                                                           port::Position& position) {
    ++counters_.submits;
    auto allowed = may_submit(input);
    if (!allowed) {
        ++counters_.refusals;
        co_return allowed.error();
    }
    const std::uint64_t body_max =
        scheduler_.function(input.tenant, input.function)->current->body_max;
    std::string content_type = input.content_type;
    auto body = co_await ports_.bodies.store(*input.body, body_max, std::move(content_type),
                                             input.content_length);
    if (!body) {
        ++counters_.refusals;
        co_return body.error();
    }
    const std::string fingerprint = fingerprint_of(input, *body);
    // Dropped again unless the core takes it, also when the client leaves in between.
    StoredFile file{tasks_, ports_.bodies, body->file};

    Result<Submitted> answer = make_error(Errc::internal, "not submitted");
    std::optional<Submitted> known;
    std::optional<ViewReading> reading;  // until the core has been asked as well
    if (input.chosen_id || !input.options.idempotency_key.empty() || input.is_only_retry) {
        reading.emplace(*this);
        auto found = co_await find_ended(input, fingerprint);
        if (!found)
            answer = found.error();
        else if (*found)
            answer = **found;
        known = found ? *found : std::nullopt;
        if (!found || known) {
            if (known) ++counters_.replays;
            co_return answer;
        }
    }
    SubmitRequest request;
    request.id =
        input.chosen_id.value_or(make_invocation_id(ports_.clock.now(), 0, ports_.random.next()));
    request.id_is_chosen = input.chosen_id.has_value();
    request.tenant = input.tenant;
    request.function = input.function;
    request.body = std::move(*body);
    request.options = input.options;
    request.options.fingerprint = fingerprint;
    request.retry_of = input.retry_of;
    request.is_only_retry = input.is_only_retry;
    position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        if (draining_) {
            answer = is_draining();
            return;
        }
        auto taken = scheduler.submit(now, std::move(request), out);
        answer = taken ? Result<Submitted>(Submitted{taken->id, taken->replayed})
                       : Result<Submitted>(taken.error());
    });
    reading.reset();
    if (answer && !answer->replayed) file.keep();
    if (!answer) {
        ++counters_.refusals;
        co_return answer;
    }
    if (answer->replayed) ++counters_.replays;
    co_return answer;
}

// A key or chosen id whose invocation has ended long enough ago to be in the view alone.
boost::asio::awaitable<Result<std::optional<Submitted>>> Gateway::find_ended(
    const SubmitInput& input, std::string fingerprint) {
    Result<std::optional<StoredKey>> found = std::optional<StoredKey>{};
    const TimePoint now = ports_.clock.now();
    std::function<void()> job = [this, &input, &found, &fingerprint, now] {
        const std::string& key = input.options.idempotency_key;
        if (input.is_only_retry) {
            const auto retry = ports_.view.retried_as(*input.retry_of);
            if (!retry) found = retry.error();
            if (retry && *retry) found = StoredKey{**retry, fingerprint, TimePoint{}};
            if (!found || *found) return;
        }
        if (!key.empty()) {
            found = ports_.view.find_key(input.tenant, input.function, key, now);
            if (!found || *found) return;
        }
        if (!input.chosen_id) return;
        auto invocation = ports_.view.get(*input.chosen_id);
        if (!invocation) {
            if (invocation.error().code != Errc::not_found) found = invocation.error();
            return;
        }
        if (invocation->tenant != input.tenant)
            found = make_error(Errc::conflict, "this id is taken");
        else
            found = StoredKey{invocation->id, invocation->options.fingerprint, TimePoint{}};
    };
    co_await ports_.workers.run(std::move(job));
    if (!found) co_return found.error();
    if (!*found) co_return std::optional<Submitted>{};
    if ((*found)->fingerprint != fingerprint)
        co_return make_error(Errc::mismatch,
                             "this key or id belongs to invocation " + (*found)->invocation.text +
                                 ", which was submitted with another body or other options",
                             "idempotency-mismatch");
    co_return std::optional<Submitted>{Submitted{(*found)->invocation, true}};
}

boost::asio::awaitable<Result<Snapshot>> Gateway::stop_invocation(StopRequest request) {
    Result<void> answer;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.stop(now, request, out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    TenantName tenant = request.tenant;
    InvocationId id = request.id;
    auto snapshot = co_await get(std::move(tenant), std::move(id));
    if (answer || !snapshot) co_return snapshot;
    if (answer.error().code != Errc::not_found) co_return answer.error();
    // The core has forgotten it, so it had ended; stopping it again is no error if that was how.
    const StopCause cause = snapshot->invocation.stop.cause;
    if (cause >= StopCause::cancel) co_return snapshot;
    co_return make_error(
        Errc::conflict,
        "the invocation has already ended: " + std::string(to_string(snapshot->invocation.state)),
        "already-finished");
}

boost::asio::awaitable<Result<Snapshot>> Gateway::patch_invocation(PatchRequest request) {
    Result<void> answer;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.patch(now, request, out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    TenantName tenant = request.tenant;
    InvocationId id = request.id;
    auto snapshot = co_await get(std::move(tenant), std::move(id));
    if (answer || !snapshot) co_return snapshot;
    if (answer.error().code != Errc::not_found) co_return answer.error();
    // The core has forgotten it, so it had ended.
    co_return make_error(
        Errc::conflict,
        "the invocation has already ended: " + std::string(to_string(snapshot->invocation.state)),
        "already-finished");
}

void Gateway::kill_running(const std::string& by) {
    std::vector<StopRequest> requests;
    scheduler_.for_each([&](const Invocation& invocation) {
        if (!holds_slot(invocation.state)) return;
        StopRequest request;
        request.id = invocation.id;
        request.tenant = invocation.tenant;
        request.cause = StopCause::kill;
        request.by = by;
        requests.push_back(std::move(request));
    });
    for (const StopRequest& request : requests)
        step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            // It may have ended since: then there is nothing to kill.
            static_cast<void>(scheduler.stop(now, request, out).has_value());
        });
}

boost::asio::awaitable<Result<bool>> Gateway::put_function(TenantName tenant,
                                                           FunctionSpec function) {
    if (draining_) co_return is_draining();
    function.version = Digest{"sha256:" + crypto::sha256_hex(wire::canonical(function))};
    Result<bool> answer = false;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.put_function(now, tenant, std::move(function), out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

boost::asio::awaitable<Result<void>> Gateway::delete_function(TenantName tenant,
                                                              FunctionName name) {
    Result<void> answer;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.delete_function(now, tenant, name, out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

boost::asio::awaitable<Result<void>> Gateway::pause(TenantName tenant, FunctionName name,
                                                    bool paused) {
    Result<void> answer;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.pause(now, tenant, name, paused, out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

boost::asio::awaitable<Result<Package>> Gateway::upload_package(
    std::optional<std::uint64_t> content_length, port::ByteSource& body) {
    if (draining_) co_return is_draining();
    auto stored =
        co_await ports_.uploads.store(body, limits_.package_max, std::string(), content_length);
    if (!stored) co_return stored.error();
    const StoredFile file{tasks_, ports_.uploads, stored->file};  // the blob store has its own copy
    Package package{Digest{"sha256:" + stored->sha256}, stored->size, true};
    Result<void> kept = co_await keep_package(*stored, package);
    if (!kept) co_return kept.error();
    co_return package;
}

boost::asio::awaitable<Result<void>> Gateway::keep_package(const Content& stored,
                                                           Package& package) {
    const Error no_archive =
        make_error(Errc::invalid_argument, "the package is no tar, tar.zst, tar.gz or zip archive",
                   "invalid-package");
    if (stored.file.empty()) co_return no_archive;
    Content head = stored;
    const std::uint64_t head_bytes = std::min<std::uint64_t>(stored.size, 512);
    auto stream = co_await ports_.uploads.read(std::move(head), 0, head_bytes);
    if (!stream) co_return stream.error();
    auto first = co_await (*stream)->read();
    if (!first) co_return first.error();
    if (!looks_like_archive(*first)) co_return no_archive;
    Digest known = package.digest;
    auto there = co_await has_package(std::move(known));
    if (!there) co_return there.error();
    package.is_new = !*there;
    Digest digest = package.digest;
    std::string path = ports_.uploads.path_of(stored);
    co_return co_await ports_.blobs.put_file(std::move(digest), std::move(path));
}

boost::asio::awaitable<Result<bool>> Gateway::has_package(Digest digest) {
    auto size = co_await ports_.blobs.head(std::move(digest));
    if (size) co_return true;
    if (size.error().code == Errc::not_found) co_return false;
    co_return size.error();
}

}  // namespace longhaul::gateway
