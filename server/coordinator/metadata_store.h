#ifndef SYNCLINE_SERVER_COORDINATOR_METADATA_STORE_H_
#define SYNCLINE_SERVER_COORDINATOR_METADATA_STORE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/metadata.pb.h"

namespace syncline {

// Where a coordinator keeps what the next one must know: a log of records, in the order they were
// appended. It has one writer at a time. Thread-safe.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // What the log holds. A record that was not durable may be missing, with all that came after it.
  virtual absl::StatusOr<std::vector<MetadataRecord>> Read() = 0;
  // `durable`: returns when this record and all before it would survive a crash. After an error the
  // record may be there or not; later ones are appended all the same.
  virtual absl::Status Append(const MetadataRecord& record, bool durable) = 0;
  // As a durable Append, but after an error the record is not there: what it says is not done then. (It may be in
  // the log yet if this process ends before it writes another.)
  virtual absl::Status Decide(const MetadataRecord& record) = 0;
  // Forgets everything and begins a log anew with `first`, durably: all of that or nothing.
  virtual absl::Status Begin(const MetadataRecord& first) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_METADATA_STORE_H_
