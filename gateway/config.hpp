// What one gateway can be told, with defaults, units and bounds (read_config() has the bounds).
#pragma once

#include "gateway/bodies/body_store.hpp"
#include "gateway/driver/handle.hpp"
#include "gateway/routes/api.hpp"
#include "longhaul/base/config.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/blob/open_store.hpp"
#include "longhaul/nats/event_sink.hpp"

#include <cstdint>
#include <string>

namespace longhaul::gateway {

struct Config {
    std::string data_dir = "longhaul-gateway";
    std::string listen = "127.0.0.1:7070";  // public
    std::string internal_listen = "127.0.0.1:7071";
    std::string admin_listen = "127.0.0.1:7072";
    std::string secret{};  // of the cluster; "" = no check on the internal listener
    std::string status_service = "127.0.0.1:7080";  // whose hosts are read at the start; "" = none
    std::string blob_dir{};  // of the directory blob store; "" = data_dir/blobs
    blob::S3Options s3{};    // with an endpoint: in place of the folder

    nats::NatsOptions nats{};    // the bus; without urls: what is pushed to the internal listener
    bool publish_events = true;  // lifecycle events, where there is NATS
    nats::EventSinkOptions event_sink{};

    GatewayLimits limits{};
    ApiOptions api{};
    BodyLimits bodies{};

    // Free bytes of data_dir's disk below which new work is refused, so that what was accepted can
    // end: several journal segments, and results.
    std::uint64_t storage_reserve_bytes = 256u << 20;
    std::uint64_t journal_segment_bytes = 64u << 20;
    Duration journal_inline_below = std::chrono::milliseconds(2);  // FileJournalOptions
    std::uint64_t view_write_buffer_bytes = 8u << 20;
    std::uint64_t view_cache_bytes = 8u << 20;
    // An idempotency key is known until both have passed, and as long as its invocation lives.
    Duration key_kept_after_accept = std::chrono::hours(24);
    Duration key_kept_after_end = std::chrono::hours(1);
    std::uint32_t workers = 2;  // threads for what blocks

    std::uint32_t connections_max = 10'000;
    std::uint32_t body_rate_min = 512;                // bytes a second of a request's body; 0 = any
    Duration stop_timeout = std::chrono::seconds(1);  // of handlers, at the end
};

// Reads everything and ends the reading: all problems in one message.
[[nodiscard]] Result<Config> read_config(ConfigReader& reader);

}  // namespace longhaul::gateway
