#include "longhaul/nats/impl/nats_link.hpp"

#include "longhaul/base/assert.hpp"

#include <fmt/format.h>
#include <nats/nats.h>

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace longhaul::nats {
namespace {

struct Send {
    NatsMessage message;
};
struct Subscribe {
    std::uint64_t id;
};
struct Unsubscribe {
    std::uint64_t id;
};
struct Renew {
    std::uint64_t id;
};
using Command = std::variant<Send, Subscribe, Unsubscribe, Renew>;

struct Subscriber {
    std::string pattern;
    std::shared_ptr<Inbox> inbox;
};

struct OptionsDeleter {
    void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
};
using OptionsPointer = std::unique_ptr<natsOptions, OptionsDeleter>;

int milliseconds(Duration duration) { return static_cast<int>(to_ms(duration)); }

std::size_t bytes_of(const NatsMessage& message) {
    return message.subject.size() + message.payload.size() + message.reply.size();
}

// What the library says about a call on this thread that has just failed.
std::string text_of(natsStatus status) {
    natsStatus last = NATS_OK;
    const char* detail = nats_GetLastError(&last);
    const char* name = natsStatus_GetText(status);
    return last == status && detail && *detail ? fmt::format("{}: {}", name, detail) : name;
}

// --- Called by threads of nats.c: they copy and hand over, nothing else. ---

// Every subscription of nats.c has a box of its own, which goes when its last callback is over.
using Box = std::shared_ptr<Inbox>;

void on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
    Incoming incoming;
    incoming.subject = natsMsg_GetSubject(message);
    incoming.payload.assign(natsMsg_GetData(message),
                            static_cast<std::size_t>(natsMsg_GetDataLength(message)));
    const char* probe = nullptr;
    incoming.is_probe = natsMsgHeader_Get(message, kProbeHeader, &probe) == NATS_OK;
    incoming.no_responders = natsMsg_IsNoResponders(message);
    natsMsg_Destroy(message);
    (*static_cast<Box*>(closure))->push(std::move(incoming));
}

void on_complete(void* closure) { delete static_cast<Box*>(closure); }

}  // namespace

struct NatsLink::Impl {
    Impl(NatsOptions options_in, LinkEvents events_in)
        : options(std::move(options_in)), events(std::move(events_in)) {}

    // --- On the link's thread. ---
    void run();
    [[nodiscard]] std::optional<std::string> connect();
    [[nodiscard]] natsStatus make_options(OptionsPointer& out);
    [[nodiscard]] natsStatus set_security(natsOptions* made) const;
    [[nodiscard]] std::string connected_url() const;
    [[nodiscard]] std::string serve();
    void perform_all(const std::deque<Command>& taken);
    void perform(const Command& command);
    void check(natsStatus status);
    [[nodiscard]] natsStatus send(const NatsMessage& message);
    [[nodiscard]] natsStatus subscribe_now(std::uint64_t id);
    void unsubscribe_now(std::uint64_t id);
    void disconnect();
    void wait_before_retry(unsigned failures);

    // --- On any thread. ---
    void queue(Command command);
    [[nodiscard]] bool is_stopping() {
        const std::lock_guard lock{mutex};
        return stopping;
    }

    static void on_closed(natsConnection*, void* closure);
    static void on_error(natsConnection*, natsSubscription*, natsStatus status, void* closure);

    // Constant after construction.
    const NatsOptions options;
    const LinkEvents events;

    // Touched only on the link's thread.
    natsConnection* connection = nullptr;
    std::map<std::uint64_t, natsSubscription*> active;
    std::minstd_rand jitter{std::random_device{}()};

    // Shared; guarded by mutex.
    std::mutex mutex;
    std::condition_variable wake;
    std::map<std::uint64_t, Subscriber> subscribers;
    std::deque<Command> commands;
    std::size_t outgoing = 0;
    std::size_t outgoing_bytes = 0;
    LinkCounters counters;
    std::optional<std::string> broken;  // why the connection has to go
    bool missed = false;                // nats.c had to drop messages
    bool up = false;                    // commands are performed
    bool closed = false;                // nats.c has called back for the last time
    bool stopping = false;

    std::thread thread;
};

// The library closes a connection that is lost, or that we close; either way this comes last.
void NatsLink::Impl::on_closed(natsConnection*, void* closure) {
    auto& self = *static_cast<Impl*>(closure);
    const std::lock_guard lock{self.mutex};
    self.closed = true;
    if (!self.broken) self.broken = "the connection was lost";
    self.wake.notify_all();
}

void NatsLink::Impl::on_error(natsConnection*, natsSubscription*, natsStatus status,
                              void* closure) {
    auto& self = *static_cast<Impl*>(closure);
    const std::lock_guard lock{self.mutex};
    ++self.counters.errors;
    if (status != NATS_SLOW_CONSUMER) return;
    self.missed = true;
    self.wake.notify_all();
}

void NatsLink::Impl::run() {
    unsigned failures = 0;
    while (!is_stopping()) {
        if (auto why = connect()) {
            events.failed(std::move(*why));
            wait_before_retry(failures++);
            continue;
        }
        failures = 0;
        events.up(connected_url(),
                  static_cast<std::uint64_t>(natsConnection_GetMaxPayload(connection)));
        std::string why = serve();
        if (!is_stopping()) events.down(std::move(why));
        disconnect();
        wait_before_retry(0);
    }
    nats_ReleaseThreadMemory();
    events.ended();
}

std::optional<std::string> NatsLink::Impl::connect() {
    OptionsPointer made;
    natsStatus status = make_options(made);
    if (status != NATS_OK) return text_of(status);
    {
        const std::lock_guard lock{mutex};
        broken.reset();
        closed = false;
    }
    status = natsConnection_Connect(&connection, made.get());
    if (status != NATS_OK) {
        connection = nullptr;
        return text_of(status);
    }
    std::vector<std::uint64_t> ids;
    {
        const std::lock_guard lock{mutex};
        up = true;
        for (const auto& [id, subscriber] : subscribers) ids.push_back(id);
    }
    for (const std::uint64_t id : ids)
        if (status == NATS_OK) status = subscribe_now(id);
    if (status == NATS_OK)
        status = natsConnection_FlushTimeout(connection, milliseconds(options.connect_timeout));
    if (status == NATS_OK) return std::nullopt;
    std::string why = text_of(status);
    disconnect();
    return why;
}

natsStatus NatsLink::Impl::make_options(OptionsPointer& out) {
    natsOptions* made = nullptr;
    natsStatus status = natsOptions_Create(&made);
    if (status != NATS_OK) return status;
    out.reset(made);
    std::vector<const char*> urls;
    for (const std::string& url : options.urls) urls.push_back(url.c_str());
    const auto then = [&status](natsStatus next) {
        if (status == NATS_OK) status = next;
    };
    then(natsOptions_SetServers(made, urls.data(), static_cast<int>(urls.size())));
    then(natsOptions_SetName(made, options.name.c_str()));
    then(natsOptions_SetTimeout(made, to_ms(options.connect_timeout)));
    then(natsOptions_SetAllowReconnect(made, false));
    then(natsOptions_SetPingInterval(made, to_ms(options.ping_interval)));
    then(natsOptions_SetMaxPingsOut(made, static_cast<int>(options.pings_out_max)));
    then(natsOptions_SetWriteDeadline(made, to_ms(options.write_timeout)));
    then(natsOptions_SetSendAsap(made, true));
    then(natsOptions_UseGlobalMessageDelivery(made, true));
    then(natsOptions_SetClosedCB(made, on_closed, this));
    then(natsOptions_SetErrorHandler(made, on_error, this));
    then(set_security(made));
    return status;
}

natsStatus NatsLink::Impl::set_security(natsOptions* made) const {
    natsStatus status = NATS_OK;
    const auto then = [&status](natsStatus next) {
        if (status == NATS_OK) status = next;
    };
    if (!options.creds_file.empty())
        then(natsOptions_SetUserCredentialsFromFiles(made, options.creds_file.c_str(), nullptr));
    bool secure = !options.tls_ca.empty() || !options.tls_cert.empty();
    for (const std::string& url : options.urls) secure = secure || url.starts_with("tls://");
    if (secure) then(natsOptions_SetSecure(made, true));
    if (!options.tls_ca.empty())
        then(natsOptions_LoadCATrustedCertificates(made, options.tls_ca.c_str()));
    if (!options.tls_cert.empty())
        then(natsOptions_LoadCertificatesChain(made, options.tls_cert.c_str(),
                                               options.tls_key.c_str()));
    if (!options.tls_server_name.empty())
        then(natsOptions_SetExpectedHostname(made, options.tls_server_name.c_str()));
    return status;
}

std::string NatsLink::Impl::connected_url() const {
    std::array<char, 512> buffer{};
    if (natsConnection_GetConnectedUrl(connection, buffer.data(), buffer.size()) != NATS_OK)
        return {};
    NatsOptions shown;
    shown.urls = {buffer.data()};
    return shown_urls(shown);
}

// Performs commands until the connection is lost, to be given up, or to be closed; says why.
std::string NatsLink::Impl::serve() {
    while (true) {
        std::deque<Command> taken;
        bool was_missed = false;
        bool is_last = false;
        {
            std::unique_lock lock{mutex};
            wake.wait(lock, [this] { return stopping || broken || missed || !commands.empty(); });
            if (broken) return *broken;
            was_missed = std::exchange(missed, false);
            is_last = stopping && commands.empty();
            taken.swap(commands);
            outgoing = 0;
            outgoing_bytes = 0;
        }
        if (is_last) break;
        perform_all(taken);
        if (was_missed) events.missed();
    }
    // A socket that is closed with something unread is reset, and takes with it what the server has
    // not read: so it answers first.
    (void)natsConnection_FlushTimeout(connection, milliseconds(options.connect_timeout));
    return "stopping";
}

void NatsLink::Impl::perform_all(const std::deque<Command>& taken) {
    for (const Command& command : taken) {
        {
            const std::lock_guard lock{mutex};
            const bool is_message = std::holds_alternative<Send>(command);
            if (broken && is_message) ++counters.lost;
            if (broken) continue;
        }
        perform(command);
    }
}

void NatsLink::Impl::perform(const Command& command) {
    if (const auto* message = std::get_if<Send>(&command)) {
        const natsStatus status = send(message->message);
        {
            const std::lock_guard lock{mutex};
            ++(status == NATS_OK ? counters.sent : counters.lost);
        }
        check(status);
    } else if (const auto* wanted = std::get_if<Subscribe>(&command)) {
        check(subscribe_now(wanted->id));
    } else if (const auto* ended = std::get_if<Unsubscribe>(&command)) {
        unsubscribe_now(ended->id);
    } else if (const auto* stale = std::get_if<Renew>(&command)) {
        unsubscribe_now(stale->id);
        natsStatus status = subscribe_now(stale->id);
        if (status == NATS_OK)
            status = natsConnection_FlushTimeout(connection, milliseconds(options.connect_timeout));
        check(status);
        if (status == NATS_OK) events.missed();
    }
}

// A call that failed leaves the stream of bytes in doubt, unless it is about the message alone.
void NatsLink::Impl::check(natsStatus status) {
    if (status == NATS_OK) return;
    const std::string why = text_of(status);
    const std::lock_guard lock{mutex};
    ++counters.errors;
    const bool only_message =
        status == NATS_INVALID_ARG || status == NATS_MAX_PAYLOAD || status == NATS_INVALID_SUBJECT;
    if (!only_message && !broken) broken = why;
}

natsStatus NatsLink::Impl::send(const NatsMessage& message) {
    const char* subject = message.subject.c_str();
    const char* data = message.payload.data();
    const int size = static_cast<int>(message.payload.size());
    if (message.headers.empty() && message.reply.empty())
        return natsConnection_Publish(connection, subject, data, size);
    if (message.headers.empty())
        return natsConnection_PublishRequest(connection, subject, message.reply.c_str(), data,
                                             size);
    natsMsg* made = nullptr;
    natsStatus status = natsMsg_Create(
        &made, subject, message.reply.empty() ? nullptr : message.reply.c_str(), data, size);
    for (const auto& [name, value] : message.headers)
        if (status == NATS_OK) status = natsMsgHeader_Set(made, name.c_str(), value.c_str());
    if (status == NATS_OK) status = natsConnection_PublishMsg(connection, made);
    natsMsg_Destroy(made);
    return status;
}

natsStatus NatsLink::Impl::subscribe_now(std::uint64_t id) {
    if (active.contains(id)) return NATS_OK;
    std::string pattern;
    Box inbox;
    {
        const std::lock_guard lock{mutex};
        const auto found = subscribers.find(id);
        if (found == subscribers.end()) return NATS_OK;  // ended meanwhile
        pattern = found->second.pattern;
        inbox = found->second.inbox;
    }
    auto box = std::make_unique<Box>(std::move(inbox));
    natsSubscription* made = nullptr;
    const natsStatus status =
        natsConnection_Subscribe(&made, connection, pattern.c_str(), on_message, box.get());
    if (status != NATS_OK) return status;
    // Where this fails the connection was closed this moment, and whether a callback still runs is
    // not told: then the box is left, a few bytes, rather than taken from under it.
    Box* owned = box.release();
    (void)natsSubscription_SetOnCompleteCB(made, on_complete, owned);
    active.emplace(id, made);
    return NATS_OK;
}

void NatsLink::Impl::unsubscribe_now(std::uint64_t id) {
    const auto found = active.find(id);
    if (found == active.end()) return;
    natsSubscription_Destroy(found->second);
    active.erase(found);
}

void NatsLink::Impl::disconnect() {
    {
        const std::lock_guard lock{mutex};
        up = false;
        counters.lost += outgoing;
        commands.clear();
        outgoing = 0;
        outgoing_bytes = 0;
    }
    natsConnection_Close(connection);
    {
        std::unique_lock lock{mutex};
        wake.wait(lock, [this] { return closed; });
    }
    for (const auto& [id, subscription] : active) natsSubscription_Destroy(subscription);
    active.clear();
    natsConnection_Destroy(connection);
    connection = nullptr;
}

// Doubled with each failure, and between the half of it and all: so that many clients of one server
// do not come back at once.
void NatsLink::Impl::wait_before_retry(unsigned failures) {
    Duration longest = options.reconnect_wait;
    for (unsigned i = 0; i < failures && longest < options.reconnect_wait_max; ++i) longest *= 2;
    longest = std::min(longest, options.reconnect_wait_max);
    std::uniform_int_distribution<Duration::rep> pick{longest.count() / 2, longest.count()};
    const Duration pause{pick(jitter)};
    std::unique_lock lock{mutex};
    wake.wait_for(lock, pause, [this] { return stopping; });
}

void NatsLink::Impl::queue(Command command) {
    commands.push_back(std::move(command));
    wake.notify_all();
}

NatsLink::NatsLink(NatsOptions options, LinkEvents events)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(events))) {}

NatsLink::~NatsLink() { LH_ASSERT(!impl_->thread.joinable()); }

void NatsLink::start() {
    // Signals are for the program's own thread: this one, and those that nats.c starts from it,
    // take none.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    impl_->thread = std::thread{[impl = impl_.get()] { impl->run(); }};
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Result<void> NatsLink::publish(NatsMessage message) {
    Impl& impl = *impl_;
    const std::size_t bytes = bytes_of(message);
    const std::lock_guard lock{impl.mutex};
    if (!impl.up) return make_error(Errc::unavailable, "NATS is not connected");
    if (impl.outgoing >= impl.options.outgoing_max ||
        impl.outgoing_bytes + bytes > impl.options.outgoing_bytes_max)
        return make_error(
            Errc::unavailable,
            fmt::format("{} messages with {} bytes wait for NATS (limits nats.outgoing_max {} and "
                        "nats.outgoing_bytes_max {})",
                        impl.outgoing, impl.outgoing_bytes, impl.options.outgoing_max,
                        impl.options.outgoing_bytes_max));
    ++impl.outgoing;
    impl.outgoing_bytes += bytes;
    impl.queue(Send{std::move(message)});
    return {};
}

void NatsLink::subscribe(std::uint64_t id, std::string pattern, std::shared_ptr<Inbox> inbox) {
    const std::lock_guard lock{impl_->mutex};
    impl_->subscribers.emplace(id, Subscriber{std::move(pattern), std::move(inbox)});
    if (impl_->up) impl_->queue(Subscribe{id});
}

void NatsLink::unsubscribe(std::uint64_t id) {
    const std::lock_guard lock{impl_->mutex};
    impl_->subscribers.erase(id);
    if (impl_->up) impl_->queue(Unsubscribe{id});
}

void NatsLink::renew(std::uint64_t id) {
    const std::lock_guard lock{impl_->mutex};
    if (impl_->up) impl_->queue(Renew{id});
}

void NatsLink::reconnect(std::string why) {
    const std::lock_guard lock{impl_->mutex};
    if (!impl_->up || impl_->broken) return;
    impl_->broken = std::move(why);
    impl_->wake.notify_all();
}

void NatsLink::stop() {
    const std::lock_guard lock{impl_->mutex};
    impl_->stopping = true;
    impl_->wake.notify_all();
}

void NatsLink::join() {
    if (impl_->thread.joinable()) impl_->thread.join();
}

LinkCounters NatsLink::counters() const {
    const std::lock_guard lock{impl_->mutex};
    return impl_->counters;
}

}  // namespace longhaul::nats
