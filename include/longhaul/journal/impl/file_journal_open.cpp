// Opening a FileJournal, and reading it from its start.
#include "longhaul/base/assert.hpp"
#include "longhaul/journal/file_journal.hpp"
#include "longhaul/journal/impl/file_journal_state.hpp"
#include "longhaul/journal/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace longhaul::journal {

namespace {

constexpr std::uint64_t kSegmentBytesMin = 4 * kBlockBytes;

Result<void> check_options(const FileJournalOptions& options) {
    const auto too_small = [](const char* name, std::uint64_t value) {
        return make_error(
            Errc::invalid_argument,
            fmt::format("journal: {} is {}, the least is {} bytes", name, value, kSegmentBytesMin));
    };
    if (options.first_segment_bytes < kSegmentBytesMin) {
        return too_small("first_segment_bytes", options.first_segment_bytes);
    }
    if (options.segment_bytes < kSegmentBytesMin) {
        return too_small("segment_bytes", options.segment_bytes);
    }
    constexpr std::uint64_t kBatchBytesBound = 1ULL << 30;  // lengths have 32 bits
    if (options.batch_bytes_max > kBatchBytesBound) {
        return make_error(Errc::invalid_argument,
                          fmt::format("journal: batch_bytes_max is {}, the most is {} bytes",
                                      options.batch_bytes_max, kBatchBytesBound));
    }
    return {};
}

}  // namespace

// Finds the end of the last segment, decides what a bad end is, and makes sure of what stays.
class FileJournal::Recovery {
public:
    explicit Recovery(FileJournal& journal)
        : journal_{journal}, segment_{journal.segments_.back()} {}

    [[nodiscard]] Result<void> run() {
        auto file = journal_.store_.open(segment_.first, port::OpenMode::write);
        if (!file) {
            return file.error();
        }
        SegmentReader reader{**file, journal_.store_.path_of(segment_.first)};
        if (auto opened = reader.open(segment_.first); !opened) {
            return opened;
        }
        std::uint64_t last_batch_offset = kBlockBytes;
        for (;;) {
            const std::uint64_t at = reader.offset();
            const auto batch = reader.next();
            if (!batch) {
                return batch.error();
            }
            if (!*batch) {
                break;
            }
            last_batch_offset = at;
        }
        const auto rest = reader.inspect_rest();
        if (!rest) {
            return rest.error();
        }
        if (auto harmless = judge(reader, *rest); !harmless) {
            return harmless;
        }
        return settle(std::move(*file), reader, last_batch_offset, rest->end);
    }

private:
    // What follows the last valid batch: nothing, a torn tail, or damage.
    [[nodiscard]] Result<void> judge(const SegmentReader& reader,
                                     const SegmentReader::Rest& rest) const {
        if (rest.later_batch) {
            return reader.corrupt_here(
                fmt::format("{}, but the batch at offset {} was written after it was durable",
                            reader.fault(), *rest.later_batch));
        }
        if (!reader.last_batch() && segment_.first > 1) {
            return reader.corrupt_here(
                fmt::format("{}, but the first batch was durable before the segment had its name",
                            reader.fault()));
        }
        if (rest.end != reader.offset()) {
            journal_.opening_.cut_tail = fmt::format(
                "journal segment {}: bytes {} to {} (positions from {} on) were not completely "
                "written when the last process stopped, and were dropped: {}",
                journal_.store_.path_of(segment_.first), reader.offset(), rest.end,
                reader.next_position(), reader.fault());
        }
        return {};
    }

    // Makes the end durable: the last batch is written again (its sync may have failed, or never
    // come, and the kernel may take its pages for clean), with zeros over a torn tail. Only when
    // that is synced may a header behind it say so: the seal.
    [[nodiscard]] Result<void> settle(std::unique_ptr<port::File> file, const SegmentReader& reader,
                                      std::uint64_t last_batch_offset, std::uint64_t rest_end) {
        journal_.salt_ = reader.header().salt;
        journal_.segments_.back().bytes = reader.header().bytes;
        journal_.offset_ = reader.offset();
        journal_.durable_ = reader.next_position() - 1;
        journal_.last_crc_ = reader.last_crc();
        const bool torn = rest_end > reader.offset();
        const auto& last = reader.last_batch();
        const bool unsealed = last && last->count != 0;
        if (auto again = rewrite(*file, last_batch_offset, reader.offset()); !again) {
            return again;
        }
        if (auto erased = erase(*file, reader.offset(), rest_end); !erased) {
            return erased;
        }
        if (auto synced = file->sync(); !synced) {
            return synced;
        }
        const bool has_room = reader.offset() + kBlockBytes <= reader.header().bytes;
        if ((unsealed || torn) && has_room) {
            const BatchHeader seal{.first = journal_.durable_ + 1,
                                   .previous_crc = journal_.last_crc_,
                                   .durable = journal_.durable_,
                                   .salt = journal_.salt_};
            std::vector<std::byte> bytes;
            journal_.last_crc_ = append_batch(bytes, seal, {});
            if (auto written = file->write_at(journal_.offset_, bytes); !written) {
                return written;
            }
            if (auto synced = file->sync(); !synced) {
                return synced;
            }
            journal_.offset_ += bytes.size();
        }
        journal_.file_ = std::move(file);
        return {};
    }

    [[nodiscard]] static Result<void> rewrite(port::File& file, std::uint64_t begin,
                                              std::uint64_t end) {
        if (begin == end) {
            return {};
        }
        std::vector<std::byte> bytes(end - begin);
        const auto got = file.read_at(begin, bytes);
        if (!got) {
            return got.error();
        }
        return file.write_at(begin, std::span{bytes}.first(*got));
    }

    // A torn tail would else be reported at every opening.
    [[nodiscard]] static Result<void> erase(port::File& file, std::uint64_t begin,
                                            std::uint64_t end) {
        static constexpr std::array<std::byte, 64 * 1024> kZeros{};
        for (std::uint64_t at = begin; at < end; at += kZeros.size()) {
            const auto length = std::min<std::uint64_t>(kZeros.size(), end - at);
            if (auto written = file.write_at(at, std::span{kZeros}.first(length)); !written) {
                return written;
            }
        }
        return {};
    }

    FileJournal& journal_;
    const Segment segment_;
};

// Walks the segments from the one that holds `from` to the last durable position, checking the
// chain.
class FileJournal::Replay {
public:
    Replay(FileJournal& journal, port::Position from, const Visitor& each)
        : journal_{journal}, from_{from}, each_{each} {}

    [[nodiscard]] Result<void> run() {
        const auto& segments = journal_.segments_;
        std::size_t index = segments.size() - 1;
        while (index > 0 && segments[index].first > from_) {
            --index;
        }
        for (; index < segments.size(); ++index) {
            if (auto read = read_segment(index); !read) {
                return read;
            }
        }
        return {};
    }

private:
    [[nodiscard]] Result<void> read_segment(std::size_t index) {
        const auto& segments = journal_.segments_;
        const port::Position first = segments[index].first;
        const bool is_last = index + 1 == segments.size();
        const auto file = journal_.store_.open(first, port::OpenMode::read);
        if (!file) {
            return file.error();
        }
        SegmentReader reader{**file, journal_.store_.path_of(first)};
        if (auto opened = reader.open(first); !opened) {
            return opened;
        }
        if (chain_ && *chain_ != reader.header().previous_crc) {
            return reader.corrupt_here("it does not follow the segment before");
        }
        const port::Position end = is_last ? journal_.durable_ + 1 : segments[index + 1].first;
        while (reader.next_position() < end) {
            if (auto visited = read_batch(reader); !visited) {
                return visited;
            }
        }
        if (reader.next_position() != end) {
            return reader.corrupt_here(fmt::format(
                "its records run past position {}, where the next segment begins", end));
        }
        if (!is_last) {
            return read_seals(reader, segments[index + 1].first);
        }
        return {};
    }

    [[nodiscard]] Result<void> read_batch(SegmentReader& reader) {
        const auto batch = reader.next();
        if (!batch) {
            return batch.error();
        }
        if (!*batch) {
            return reader.corrupt_here(reader.fault());
        }
        const BatchHeader& header = (*batch)->header;
        if (header.first + header.count <= from_) {
            return {};
        }
        return for_each_record(
            header, (*batch)->payload, [this](port::Position position, std::string_view record) {
                return position < from_ ? Result<void>{} : each_(position, record);
            });
    }

    // Seals behind the last record belong to the chain that the next segment continues.
    [[nodiscard]] Result<void> read_seals(SegmentReader& reader, port::Position next_first) {
        const auto file = journal_.store_.open(next_first, port::OpenMode::read);
        if (!file) {
            return file.error();
        }
        SegmentReader next{**file, journal_.store_.path_of(next_first)};
        if (auto opened = next.open(next_first); !opened) {
            return opened;
        }
        while (reader.last_crc() != next.header().previous_crc) {
            const auto batch = reader.next();
            if (!batch) {
                return batch.error();
            }
            if (!*batch || (*batch)->header.count != 0) {
                return reader.corrupt_here("the chain to the next segment is broken: " +
                                           reader.fault());
            }
        }
        chain_ = reader.last_crc();
        return {};
    }

    FileJournal& journal_;
    const port::Position from_;
    const Visitor& each_;
    std::optional<std::uint32_t> chain_;  // crc of the last batch of the segment before
};

Result<std::unique_ptr<FileJournal>> FileJournal::open(port::Disk& disk, port::Clock& clock,
                                                       port::Workers& workers,
                                                       FileJournalOptions options) {
    if (auto checked = check_options(options); !checked) {
        return checked.error();
    }
    std::unique_ptr<FileJournal> journal{new FileJournal{disk, clock, workers, std::move(options)}};
    if (auto locked = journal->store_.lock(); !locked) {
        return locked.error();
    }
    auto segments = journal->store_.list();
    if (!segments) {
        return segments.error();
    }
    journal->segments_ = std::move(*segments);
    const auto ready =
        journal->segments_.empty() ? journal->create_first() : Recovery{*journal}.run();
    if (!ready) {
        return ready.error();
    }
    journal->opening_.first = journal->segments_.front().first;
    journal->opening_.last = journal->durable_;
    return journal;
}

Result<void> FileJournal::create_first() {
    auto file = store_.create(kHurriedName);
    if (!file) {
        return file.error();
    }
    const Segment segment{1, align_to_block(options_.first_segment_bytes)};
    if (auto filled = ZeroFill{**file, segment.bytes}.finish(); !filled) {
        return filled;
    }
    salt_ = draw_salt(segment.first);
    append_segment_header(
        buffer_,
        SegmentHeader{
            .first = segment.first, .bytes = segment.bytes, .previous_crc = 0, .salt = salt_});
    if (auto written = (*file)->write_at(0, buffer_); !written) {
        return written;
    }
    if (auto synced = (*file)->sync(); !synced) {
        return synced;
    }
    if (auto published = store_.publish(kHurriedName, segment.first); !published) {
        return published;
    }
    offset_ = buffer_.size();
    file_ = std::move(*file);
    segments_.push_back(segment);
    return {};
}

Result<void> FileJournal::replay(port::Position from, const Visitor& each) {
    return Replay{*this, from, each}.run();
}

}  // namespace longhaul::journal
