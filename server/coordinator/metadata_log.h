#ifndef SYNCLINE_SERVER_COORDINATOR_METADATA_LOG_H_
#define SYNCLINE_SERVER_COORDINATOR_METADATA_LOG_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/metadata.pb.h"

namespace syncline {

// How a log of records is written, wherever it is kept.
//
//   log    = record*
//   record = length (uint32) crc32c (uint32, of the bytes) bytes     numbers little-endian
std::string FrameRecord(const MetadataRecord& record);

// The records up to the first that is cut short or damaged, and how many bytes they take. What follows was
// never durable.
std::vector<MetadataRecord> ParseRecords(absl::string_view log, size_t* end);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_METADATA_LOG_H_
