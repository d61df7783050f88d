#ifndef SYNCLINE_SERVER_COORDINATOR_DIRECTORY_STORE_H_
#define SYNCLINE_SERVER_COORDINATOR_DIRECTORY_STORE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "server/coordinator/metadata_store.h"

namespace syncline {

// Metadata in a folder: the file `log` (metadata_log.h), and `lock`, which its writer holds (flock) until its
// process ends. What follows a record that is cut short or damaged is dropped by the next writer.
class DirectoryStore {
 public:
  // Makes the folder, and waits for the lock while another coordinator has it: then this one stands by.
  // `waiting` is told once that it does, and CANCELLED is returned when `stop` says so; both may be null.
  static absl::StatusOr<std::unique_ptr<MetadataStore>> Open(FileSystem* files,
                                                             const std::string& folder,
                                                             const std::function<void()>& waiting,
                                                             const std::function<bool()>& stop);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_DIRECTORY_STORE_H_
