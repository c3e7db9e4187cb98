#include "host_agent/driver/record_codec.hpp"

#include <cstdint>

namespace longhaul::host_agent {
namespace {

constexpr char kVersion = 1;

class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    void operator()(std::uint64_t value) {
        while (value >= 0x80) {
            out_ += static_cast<char>(static_cast<unsigned char>(value) | 0x80u);
            value >>= 7;
        }
        out_ += static_cast<char>(value);
    }
    void operator()(std::int64_t value) { (*this)(static_cast<std::uint64_t>(value)); }
    void operator()(std::uint32_t value) { (*this)(std::uint64_t{value}); }
    void operator()(std::uint16_t value) { (*this)(std::uint64_t{value}); }
    void operator()(std::uint8_t value) { (*this)(std::uint64_t{value}); }
    void operator()(bool value) { (*this)(std::uint64_t{value}); }
    void operator()(const std::string& text) {
        (*this)(std::uint64_t{text.size()});
        out_ += text;
    }
    void operator()(Duration value) { (*this)(static_cast<std::int64_t>(value.count())); }
    void operator()(TimePoint value) { (*this)(value.time_since_epoch()); }

private:
    std::string& out_;
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    void operator()(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7fu} << shift;
            if ((byte & 0x80u) == 0) return;
        }
        failed_ = true;
    }
    void operator()(std::int64_t& value) {
        std::uint64_t raw = 0;
        (*this)(raw);
        value = static_cast<std::int64_t>(raw);
    }
    void operator()(std::uint32_t& value) { narrow(value, UINT32_MAX); }
    void operator()(std::uint16_t& value) { narrow(value, UINT16_MAX); }
    void operator()(std::uint8_t& value) { narrow(value, UINT8_MAX); }
    void operator()(bool& value) { narrow(value, 1); }
    void operator()(std::string& text) {
        std::uint64_t size = 0;
        (*this)(size);
        if (failed_ || size > rest_.size()) {
            failed_ = true;
            return;
        }
        text.assign(rest_.substr(0, size));
        rest_.remove_prefix(size);
    }
    void operator()(Duration& value) {
        std::int64_t count = 0;
        (*this)(count);
        value = Duration{count};
    }
    void operator()(TimePoint& value) {
        Duration since{};
        (*this)(since);
        value = TimePoint{since};
    }

    [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

private:
    template <class Integer>
    void narrow(Integer& value, std::uint64_t max) {
        std::uint64_t wide = 0;
        (*this)(wide);
        if (wide > max) failed_ = true;
        value = static_cast<Integer>(wide);
    }

    std::string_view rest_;
    bool failed_ = false;
};

// One list of fields for both directions: `io` is a Writer on a const record, or a Reader.
template <class Io, class Key>
void key_fields(Io& io, Key& key) {
    io(key.invocation.text);
    io(key.attempt);
}

template <class Io, class T>
void record_fields(Io& io, T& it) {
    using R = std::remove_const_t<T>;
    if constexpr (std::is_same_v<R, EpochBegun>) {
        io(it.epoch);
    } else if constexpr (std::is_same_v<R, TermSeen>) {
        io(it.owner.shard);
        io(it.owner.term);
    } else if constexpr (std::is_same_v<R, InstanceMade>) {
        io(it.id.text);
        io(it.memory_mb);
        io(it.process.process.pid);
        io(it.process.process.start_ticks);
        io(it.process.uid);
        io(it.process.control_address);
        io(it.process.secret);
    } else if constexpr (std::is_same_v<R, InstanceLoaded>) {
        io(it.id.text);
        io(it.code.tenant.text);
        io(it.code.function.text);
        io(it.code.version.text);
        io(it.code.package.text);
        io(it.code.keep_alive);
    } else if constexpr (std::is_same_v<R, InstanceGone>) {
        io(it.id.text);
    } else if constexpr (std::is_same_v<R, Assigned>) {
        key_fields(io, it.key);
        io(it.token.text);
        io(it.instance.text);
        io(it.run_token);
        io(it.data_address);
        io(it.at);
    } else if constexpr (std::is_same_v<R, Fenced> || std::is_same_v<R, Acked>) {
        key_fields(io, it.key);
        io(it.at);
    } else if constexpr (std::is_same_v<R, Released>) {
        key_fields(io, it.key);
    } else if constexpr (std::is_same_v<R, Ended>) {
        key_fields(io, it.key);
        io(it.stamp.rank);
        io(it.stamp.version);
        io(it.at);
        io(it.instance_usable);
        io(it.status);
    } else if constexpr (std::is_same_v<R, DrainChanged>) {
        io(it.on);
        io(it.limited);
        io(it.by);
        io(it.reason);
        io(it.since);
    } else if constexpr (std::is_same_v<R, Leased>) {
        io(it.id.text);
        io(it.lease.owner.shard);
        io(it.lease.owner.term);
        io(it.lease.run_token);
        io(it.lease.at);
    } else if constexpr (std::is_same_v<R, LeaseClosed>) {
        io(it.id.text);
    } else if constexpr (std::is_same_v<R, LeaseLost>) {
        io(it.id.text);
        io(it.at);
    } else if constexpr (std::is_same_v<R, InstanceShared>) {
        io(it.id.text);
        io(it.places);
    } else {
        static_assert(std::is_same_v<R, SnapshotBegun>);
    }
}

// The type byte is 1 + the place in the variant, in which nothing may ever be moved.
template <std::size_t Index = 0>
Result<Record> decode_as(std::size_t type, Reader& reader) {
    if constexpr (Index == std::variant_size_v<Record>) {
        return make_error(Errc::corrupt,
                          "a host record has the unknown type " + std::to_string(type + 1));
    } else {
        if (type != Index) return decode_as<Index + 1>(type, reader);
        std::variant_alternative_t<Index, Record> value;
        record_fields(reader, value);
        if (!reader.complete())
            return make_error(Errc::corrupt, "a host record of type " + std::to_string(type + 1) +
                                                 " has the wrong length");
        return Record{std::move(value)};
    }
}

}  // namespace

std::string encode_record(const Record& record) {
    std::string out;
    out += kVersion;
    out += static_cast<char>(record.index() + 1);
    Writer writer(out);
    std::visit([&writer](const auto& value) { record_fields(writer, value); }, record);
    return out;
}

Result<Record> decode_record(std::string_view bytes) {
    if (bytes.size() < 2) return make_error(Errc::corrupt, "a host record is too short");
    if (bytes[0] != kVersion)
        return make_error(Errc::corrupt, "a host record has the unknown version " +
                                             std::to_string(static_cast<unsigned char>(bytes[0])));
    Reader reader(bytes.substr(2));
    const auto type = static_cast<unsigned char>(bytes[1]);
    if (type == 0) return make_error(Errc::corrupt, "a host record has no type");
    return decode_as<>(type - 1u, reader);
}

}  // namespace longhaul::host_agent
