#include "longhaul/blob/s3_blob_store.hpp"

#include "longhaul/crypto/sha256.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <span>

namespace longhaul::blob {

namespace asio = boost::asio;

namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(25);
constexpr Duration kPauseMax = std::chrono::seconds(1);
constexpr std::uint64_t kAnswerMax = 1 << 20;  // of what is no object
constexpr std::string_view kPrefix = "sha256:";

// What stands in the first <name>…</name>; these documents are flat where we look.
std::string element(std::string_view xml, std::string_view name) {
    const std::string open = fmt::format("<{}>", name);
    const auto from = xml.find(open);
    if (from == std::string_view::npos) return "";
    const auto begin = from + open.size();
    const auto end = xml.find(fmt::format("</{}>", name), begin);
    return end == std::string_view::npos ? "" : std::string(xml.substr(begin, end - begin));
}

bool is_passing(int status) { return status == 429 || status == 408 || status >= 500; }

Errc code_of(int status) {
    if (status == 404) return Errc::not_found;
    if (status == 401 || status == 403) return Errc::refused;
    return Errc::unavailable;
}

Error told_by(int status, std::string_view body, std::string_view what) {
    const std::string code = element(body, "Code");
    const std::string message = element(body, "Message");
    std::string text = fmt::format("S3 answered {} with {}", what, status);
    if (!code.empty()) text += fmt::format(" {}: {}", code, message);
    if (code == "RequestTimeTooSkewed") text += " (is this machine's clock right?)";
    return make_error(code_of(status), std::move(text));
}

template <class Integer>
std::optional<Integer> number_of(std::string_view text) {
    Integer value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string without_quotes(std::string text) {
    std::erase(text, '"');
    return text;
}

}  // namespace

S3BlobStore::S3BlobStore(port::Peer& peer, port::Clock& clock, port::Disk& disk,
                         port::Workers& workers, S3Options options)
    : peer_(peer), clock_(clock), disk_(disk), workers_(workers), options_(std::move(options)) {}

std::string S3BlobStore::Answer::header(std::string_view name) const {
    port::PeerResponse response;
    response.headers = headers;
    return std::string(response.header(name));
}

S3Request S3BlobStore::request(std::string method, const Digest& digest) const {
    S3Request result;
    result.method = std::move(method);
    result.host = options_.endpoint;
    result.path = fmt::format("/{}/{}sha256/{}", options_.bucket, options_.prefix,
                              digest.text.substr(kPrefix.size()));
    return result;
}

asio::awaitable<Result<S3BlobStore::Answer>> S3BlobStore::ask_once(const S3Request& request,
                                                                   const std::string& body) {
    port::PeerRequest call;
    call.method = request.method;
    call.target = s3_target(request);
    call.headers = s3_headers(request, options_.credentials, clock_.wall_now());
    call.body = body;
    std::string address = options_.endpoint;
    auto response = co_await peer_.call(std::move(address), std::move(call), options_.call_timeout);
    if (!response) co_return response.error();
    Answer answer;
    answer.status = response->status;
    answer.headers = std::move(response->headers);
    if (request.method == "HEAD") co_return answer;
    const std::uint64_t most = std::max(kAnswerMax, options_.read_bytes_max);
    auto bytes = co_await port::read_all(*response->body, most);
    if (!bytes) co_return bytes.error();
    answer.body = std::move(*bytes);
    co_return answer;
}

asio::awaitable<Result<S3BlobStore::Answer>> S3BlobStore::ask(S3Request request, std::string body) {
    Duration pause = kFirstPause;
    for (std::uint32_t tries = 1;; ++tries) {
        auto answer = co_await ask_once(request, body);
        const bool again = !answer || is_passing(answer->status);
        if (!again) co_return answer;
        if (tries >= options_.tries_max) {
            if (!answer)
                co_return make_error(
                    answer.error().code,
                    fmt::format("S3 at {}: {}", options_.endpoint, answer.error().message));
            co_return told_by(answer->status, answer->body, request.method);
        }
        const TimePoint next = clock_.now() + pause;
        co_await clock_.wait_until(next);
        pause = std::min(pause * 2, kPauseMax);
    }
}

asio::awaitable<Result<std::uint64_t>> S3BlobStore::head(Digest digest) {
    if (auto parsed = parse_digest(digest.text); !parsed) co_return parsed.error();
    S3Request wanted = request("HEAD", digest);
    auto answer = co_await ask(std::move(wanted), "");
    if (!answer) co_return answer.error();
    if (answer->status == 404)
        co_return make_error(Errc::not_found, fmt::format("no blob {}", digest.text));
    if (answer->status != 200) co_return told_by(answer->status, "", "HEAD");
    const auto size = number_of<std::uint64_t>(answer->header("Content-Length"));
    if (!size) co_return make_error(Errc::unavailable, "S3 answered HEAD without Content-Length");
    co_return *size;
}

asio::awaitable<Result<std::string>> S3BlobStore::get(Digest digest, std::uint64_t offset,
                                                      std::uint64_t length) {
    if (auto parsed = parse_digest(digest.text); !parsed) co_return parsed.error();
    const std::uint64_t wanted = std::min(length, options_.read_bytes_max);
    if (wanted == 0) co_return std::string();
    S3Request ranged = request("GET", digest);
    ranged.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, offset + wanted - 1));
    auto answer = co_await ask(std::move(ranged), "");
    if (!answer) co_return answer.error();
    if (answer->status == 206) co_return std::move(answer->body);
    if (answer->status == 416) co_return std::string();  // past the end
    if (answer->status == 404)
        co_return make_error(Errc::not_found, fmt::format("no blob {}", digest.text));
    // A server that knows no ranges: the whole, from its beginning.
    if (answer->status == 200 && offset <= answer->body.size())
        co_return answer->body.substr(offset, wanted);
    co_return told_by(answer->status, answer->body, "GET");
}

asio::awaitable<Result<void>> S3BlobStore::remove(Digest digest) {
    if (auto parsed = parse_digest(digest.text); !parsed) co_return parsed.error();
    S3Request wanted = request("DELETE", digest);
    auto answer = co_await ask(std::move(wanted), "");
    if (!answer) co_return answer.error();
    if (answer->status / 100 == 2 || answer->status == 404) co_return Result<void>();
    co_return told_by(answer->status, answer->body, "DELETE");
}

asio::awaitable<Result<void>> S3BlobStore::put_file(Digest digest, std::string path) {
    Digest same = digest;
    auto known = co_await head(std::move(same));
    if (known) co_return Result<void>();
    if (known.error().code != Errc::not_found) co_return known.error();
    std::string file = path;
    auto size = co_await size_of(std::move(file));
    if (!size) co_return size.error();
    if (*size <= options_.part_bytes)
        co_return co_await put_whole(std::move(digest), std::move(path), *size);
    co_return co_await put_in_parts(std::move(digest), std::move(path), *size);
}

asio::awaitable<Result<void>> S3BlobStore::put_whole(Digest digest, std::string path,
                                                     std::uint64_t size) {
    auto bytes = co_await read(std::move(path), Part{0, size});
    if (!bytes) co_return bytes.error();
    S3Request wanted = request("PUT", digest);
    wanted.payload_sha256 = digest.text.substr(kPrefix.size());
    auto answer = co_await ask(std::move(wanted), std::move(*bytes));
    if (!answer) co_return answer.error();
    if (answer->status != 200) co_return told_by(answer->status, answer->body, "PUT");
    co_return Result<void>();
}

// The ETag of the part.
asio::awaitable<Result<std::string>> S3BlobStore::put_part(Digest digest, std::string path,
                                                           std::string upload, std::size_t number,
                                                           Part part) {
    auto bytes = co_await read(std::move(path), part);
    if (!bytes) co_return bytes.error();
    S3Request wanted = request("PUT", digest);
    wanted.query = {{"partNumber", std::to_string(number)}, {"uploadId", std::move(upload)}};
    wanted.payload_sha256 = crypto::sha256_hex(*bytes);
    auto answer = co_await ask(std::move(wanted), std::move(*bytes));
    if (!answer) co_return answer.error();
    if (answer->status != 200) co_return told_by(answer->status, answer->body, "PUT of a part");
    co_return answer->header("ETag");
}

asio::awaitable<Result<void>> S3BlobStore::put_in_parts(Digest digest, std::string path,
                                                        std::uint64_t size) {
    S3Request begin = request("POST", digest);
    begin.query = {{"uploads", ""}};
    auto begun = co_await ask(std::move(begin), "");
    if (!begun) co_return begun.error();
    const std::string upload = element(begun->body, "UploadId");
    if (begun->status != 200 || upload.empty())
        co_return told_by(begun->status, begun->body, "the begin of an upload");

    std::string list = "<CompleteMultipartUpload>";
    Result<void> done;
    std::size_t number = 1;
    for (std::uint64_t offset = 0; offset < size && done; offset += options_.part_bytes) {
        const Part part{offset, std::min(options_.part_bytes, size - offset)};
        Digest same = digest;
        std::string file = path;
        std::string of = upload;
        auto etag =
            co_await put_part(std::move(same), std::move(file), std::move(of), number, part);
        if (!etag) done = etag.error();
        if (etag)
            list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag></Part>",
                                number++, without_quotes(std::move(*etag)));
    }
    list += "</CompleteMultipartUpload>";
    S3Request last = request(done ? "POST" : "DELETE", digest);
    last.query = {{"uploadId", upload}};
    std::string body = done ? std::move(list) : std::string();
    last.payload_sha256 = crypto::sha256_hex(body);
    auto answer = co_await ask(std::move(last), std::move(body));
    if (!done) co_return done;  // whatever came of giving it up
    if (!answer) co_return answer.error();
    // A failure may come with a 200 that was sent before it.
    if (answer->status != 200 || answer->body.find("<Error>") != std::string::npos)
        co_return told_by(answer->status, answer->body, "the end of an upload");
    co_return Result<void>();
}

asio::awaitable<Result<std::string>> S3BlobStore::read(std::string path, Part part) {
    Result<std::string> result = std::string();
    std::function<void()> job = [this, &path, &part, &result] {
        auto file = disk_.open(path, port::OpenMode::read);
        if (!file) {
            result = file.error();
            return;
        }
        std::string bytes(part.size, '\0');
        auto got = (*file)->read_at(part.offset, std::as_writable_bytes(std::span(bytes)));
        if (!got)
            result = got.error();
        else if (*got != part.size)
            result = make_error(Errc::io_failed, path + " became shorter while it was read");
        else
            result = std::move(bytes);
    };
    co_await workers_.run(std::move(job));
    co_return result;
}

asio::awaitable<Result<std::uint64_t>> S3BlobStore::size_of(std::string path) {
    Result<std::uint64_t> result = std::uint64_t{0};
    std::function<void()> job = [this, &path, &result] {
        auto file = disk_.open(path, port::OpenMode::read);
        result = file ? (*file)->size() : Result<std::uint64_t>(file.error());
    };
    co_await workers_.run(std::move(job));
    co_return result;
}

}  // namespace longhaul::blob
