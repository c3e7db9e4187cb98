// Which blob store a program uses: S3 where `[s3]` has an endpoint, else a folder.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/blob/s3_blob_store.hpp"

#include <memory>
#include <string>

namespace longhaul::blob {

// Reads s3.endpoint and so on; problems go into the reader.
void read_s3_options(ConfigReader& reader, S3Options& options);

// `peer` only serves S3: it must not carry a secret of the cluster.
[[nodiscard]] std::unique_ptr<port::BlobStore> open_store(std::string folder, const S3Options& s3,
                                                          port::Peer& peer, port::Clock& clock,
                                                          port::Disk& disk, port::Workers& workers);

}  // namespace longhaul::blob
