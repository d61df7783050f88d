#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_WRITER_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_WRITER_H_

#include <string>

#include "proto/job.pb.h"

namespace syncline {

// The manifest as YAML: every field that is set, in the order of the schema. ParseManifest() reads
// it back to an equal message.
std::string SerializeManifest(const JobManifest& job);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_WRITER_H_
