#include "server/coordinator/metadata_log.h"

#include <string.h>

#include <cstdint>
#include <utility>

#include "common/io/checksum.h"

namespace syncline {
namespace {

constexpr size_t kHeader = 2 * sizeof(uint32_t);

}  // namespace

std::string FrameRecord(const MetadataRecord& record) {
  const std::string bytes = record.SerializeAsString();
  const uint32_t header[2] = {static_cast<uint32_t>(bytes.size()),
                              Crc32c(bytes.data(), bytes.size())};
  return std::string(reinterpret_cast<const char*>(header), kHeader) + bytes;
}

std::vector<MetadataRecord> ParseRecords(absl::string_view log, size_t* end) {
  std::vector<MetadataRecord> records;
  *end = 0;
  while (*end + kHeader <= log.size()) {
    uint32_t header[2];
    memcpy(header, log.data() + *end, kHeader);
    const char* const bytes = log.data() + *end + kHeader;
    MetadataRecord record;
    if (log.size() - *end - kHeader < header[0] || Crc32c(bytes, header[0]) != header[1] ||
        !record.ParseFromArray(bytes, static_cast<int>(header[0]))) {
      break;
    }
    records.push_back(std::move(record));
    *end += kHeader + header[0];
  }
  return records;
}

}  // namespace syncline
