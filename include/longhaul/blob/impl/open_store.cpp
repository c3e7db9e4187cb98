#include "longhaul/blob/open_store.hpp"

#include "longhaul/blob/directory_blob_store.hpp"

namespace longhaul::blob {

void read_s3_options(ConfigReader& reader, S3Options& options) {
    reader.optional_address("s3.endpoint", options.endpoint);
    reader.text("s3.bucket", options.bucket);
    reader.text("s3.prefix", options.prefix);
    reader.text("s3.region", options.credentials.region);
    reader.text("s3.access_key_id", options.credentials.access_key_id);
    reader.secret("s3.secret_access_key", options.credentials.secret_access_key);
    reader.bytes("s3.part_bytes", options.part_bytes, 5u << 20, 1u << 30);
    reader.duration("s3.call_timeout", options.call_timeout, std::chrono::milliseconds(100),
                    std::chrono::hours(1));
    reader.integer("s3.tries_max", options.tries_max, 1, 100, "tries");
    if (options.endpoint.empty()) return;
    if (options.bucket.empty()) reader.problem("s3.bucket", "is needed where s3.endpoint is given");
    if (!options.credentials.access_key_id.empty() && options.credentials.secret_access_key.empty())
        reader.problem("s3.secret_access_key", "is needed where s3.access_key_id is given");
}

std::unique_ptr<port::BlobStore> open_store(std::string folder, const S3Options& s3,
                                            port::Peer& peer, port::Clock& clock, port::Disk& disk,
                                            port::Workers& workers) {
    if (s3.endpoint.empty())
        return std::make_unique<DirectoryBlobStore>(
            disk, workers, DirectoryBlobStoreOptions{.folder = std::move(folder)});
    return std::make_unique<S3BlobStore>(peer, clock, disk, workers, s3);
}

}  // namespace longhaul::blob
