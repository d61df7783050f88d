#ifndef SYNCLINE_SERVER_COORDINATOR_TEST_RECORDS_H_
#define SYNCLINE_SERVER_COORDINATOR_TEST_RECORDS_H_

#include <cstdint>
#include <vector>

#include "common/status/status_matchers.h"
#include "server/coordinator/metadata_store.h"

namespace syncline {

// For tests of metadata stores: records that are told apart by a number.
inline MetadataRecord Scaled(uint32_t shards) {
  MetadataRecord record;
  record.mutable_scaled()->set_shards(shards);
  return record;
}

// The numbers of what a store holds, 0 for other records.
inline std::vector<uint32_t> ShardsOf(MetadataStore* store) {
  std::vector<uint32_t> shards;
  const auto records = store->Read();
  SYNCLINE_EXPECT_OK(records.status());
  for (const MetadataRecord& record : *records) shards.push_back(record.scaled().shards());
  return shards;
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_TEST_RECORDS_H_
