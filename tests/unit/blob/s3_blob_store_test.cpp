#include "longhaul/blob/s3_blob_store.hpp"

#include "longhaul/crypto/sha256.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"

#include <map>

namespace longhaul::blob {
namespace {

constexpr const char* kEndpoint = "s3:9000";
constexpr std::uint64_t kPart = 1000;

std::string header_of(const port::PeerRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers)
        if (key == name) return value;
    return "";
}

// A bucket with memory that checks the digest of what it is sent, as S3 does.
struct Bucket {
    std::map<std::string, std::string> objects;               // by path
    std::map<std::string, std::map<int, std::string>> parts;  // of uploads, by path
    int busy = 0;                                             // the next so many calls meet 503
    bool breaks_the_end = false;  // of an upload: 200, and an error in the document
    int calls = 0;

    port::PeerResponse answer(const port::PeerRequest& request) {
        ++calls;
        if (busy > 0) {
            --busy;
            return test::make_response(503, "<Error><Code>SlowDown</Code></Error>");
        }
        const auto payload = header_of(request, "x-amz-content-sha256");
        if (payload != crypto::sha256_hex(request.body))
            return test::make_response(400, "<Error><Code>BadDigest</Code></Error>");
        const auto question = request.target.find('?');
        const std::string path = request.target.substr(0, question);
        const std::string query =
            question == std::string::npos ? "" : request.target.substr(question + 1);
        if (request.method == "POST" || !query.empty()) return upload(request, path, query);
        if (request.method == "PUT") {
            objects[path] = request.body;
            return test::make_response(200, "");
        }
        if (request.method == "DELETE") {
            objects.erase(path);
            return test::make_response(204, "");
        }
        const auto found = objects.find(path);
        if (found == objects.end())
            return test::make_response(404, "<Error><Code>NoSuchKey</Code></Error>");
        if (request.method == "HEAD") {
            port::PeerResponse response = test::make_response(200, "");
            response.headers.emplace_back("Content-Length", std::to_string(found->second.size()));
            return response;
        }
        return read(request, found->second);
    }

    static port::PeerResponse read(const port::PeerRequest& request, const std::string& object) {
        const std::string range = header_of(request, "Range");  // "bytes=3-7"
        const std::size_t from = std::stoul(range.substr(6));
        const std::size_t to = std::stoul(range.substr(range.find('-') + 1));
        if (from >= object.size()) return test::make_response(416, "");
        return test::make_response(206, object.substr(from, to - from + 1));
    }

    port::PeerResponse upload(const port::PeerRequest& request, const std::string& path,
                              const std::string& query) {
        if (query == "uploads=") return test::make_response(200, "<X><UploadId>u 1</UploadId></X>");
        if (!query.ends_with("uploadId=u%201")) return test::make_response(404, "");
        if (request.method == "PUT") {
            parts[path][std::stoi(query.substr(query.find('=') + 1))] = request.body;
            port::PeerResponse response = test::make_response(200, "");
            response.headers.emplace_back("ETag", "\"e\"");
            return response;
        }
        if (request.method == "POST" && breaks_the_end)
            return test::make_response(200, "<Error><Code>InternalError</Code></Error>");
        if (request.method == "POST")
            for (const auto& [number, bytes] : parts[path]) objects[path] += bytes;
        parts.erase(path);
        return test::make_response(200, "<CompleteMultipartUploadResult/>");
    }
};

struct Bed {
    test::FakeClock clock;
    boost::asio::io_context io;
    test::FakePeer peer{io.get_executor(), clock, 1};
    test::MemoryDisk disk{1};
    system::InlineWorkers workers;
    Bucket bucket;
    S3BlobStore store{peer, clock, disk, workers, options()};
    std::string bytes;
    Digest digest;

    Bed() {
        peer.serve(kEndpoint,
                   [this](port::PeerRequest request) { return serve(std::move(request)); });
        set_bytes("0123456789");
    }

    boost::asio::awaitable<Result<port::PeerResponse>> serve(port::PeerRequest request) {
        co_return bucket.answer(request);
    }

    static S3Options options() {
        S3Options options;
        options.endpoint = kEndpoint;
        options.bucket = "code";
        options.prefix = "lh/";
        options.credentials = {"key", "secret", "eu-1"};
        options.part_bytes = kPart;
        options.tries_max = 3;
        return options;
    }

    void set_bytes(std::string text) {
        bytes = std::move(text);
        digest.text = "sha256:" + crypto::sha256_hex(bytes);
        disk.set_content("in/package", bytes);
    }
    [[nodiscard]] std::string path() const { return "/code/lh/sha256/" + digest.text.substr(7); }

    template <class T>
    T run(boost::asio::awaitable<T> task) {
        return test::run_task(io, clock, std::move(task));
    }
    Result<void> put() {
        auto task = store.put_file(digest, "in/package");
        return run(std::move(task));
    }
    Result<std::string> get(std::uint64_t offset, std::uint64_t length) {
        auto task = store.get(digest, offset, length);
        return run(std::move(task));
    }
};

}  // namespace

TEST_CASE("a package that was put into a bucket is read by range") {
    Bed bed;
    REQUIRE(bed.put());
    CHECK(bed.bucket.objects.at(bed.path()) == bed.bytes);
    auto head = bed.store.head(bed.digest);
    CHECK(bed.run(std::move(head)).value() == 10);
    CHECK(bed.get(0, 4).value() == "0123");
    CHECK(bed.get(8, 100).value() == "89");
    CHECK(bed.get(10, 1).value().empty());
}

TEST_CASE("a package that is in the bucket is not sent again") {
    Bed bed;
    REQUIRE(bed.put());
    const int calls = bed.bucket.calls;
    REQUIRE(bed.put());
    CHECK(bed.bucket.calls == calls + 1);
}

TEST_CASE("a large package is sent in parts, and is there only as a whole") {
    Bed bed;
    std::string text;
    for (int line = 0; line < 700; ++line) text += std::to_string(line);
    bed.set_bytes(text);
    SECTION("whole") {
        REQUIRE(bed.put());
        CHECK(bed.bucket.objects.at(bed.path()) == text);
    }
    SECTION("the end fails, though it was answered with 200") {
        bed.bucket.breaks_the_end = true;
        const auto done = bed.put();
        CHECK(done.error().message.find("InternalError") != std::string::npos);
        CHECK(bed.bucket.objects.empty());
    }
}

TEST_CASE("what is not in the bucket is not_found, and its removal is no error") {
    Bed bed;
    CHECK(bed.get(0, 1).error().code == Errc::not_found);
    auto head = bed.store.head(bed.digest);
    CHECK(bed.run(std::move(head)).error().code == Errc::not_found);
    auto removal = bed.store.remove(bed.digest);
    CHECK(bed.run(std::move(removal)));
}

TEST_CASE("a server that is busy is asked again, a few times") {
    Bed bed;
    REQUIRE(bed.put());
    bed.bucket.busy = 2;
    CHECK(bed.get(0, 4).value() == "0123");
    bed.bucket.busy = 3;
    const auto refused = bed.get(0, 4);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.find("503 SlowDown") != std::string::npos);
}

TEST_CASE("bytes that are not what their digest says are not taken in") {
    Bed bed;
    bed.disk.set_content("in/package", "something else");
    const auto done = bed.put();
    CHECK(done.error().message.find("BadDigest") != std::string::npos);
    CHECK(bed.bucket.objects.empty());
}

}  // namespace longhaul::blob
