// The manifest parser: no input crashes it, and what it accepts survives being written and read.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/config/manifest.h"
#include "common/config/manifest_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string yaml(reinterpret_cast<const char*>(data), size);
  const auto job = syncline::ParseManifest(yaml, "/fuzz/job.yaml");
  if (!job.ok()) return 0;
  const std::string written = syncline::SerializeManifest(*job);
  const auto again = syncline::ParseManifest(written, "/fuzz/job.yaml");
  if (!again.ok() || syncline::SerializeManifest(*again) != written) {
    std::fprintf(stderr, "does not survive being written:\n%s\n%s\n", written.c_str(),
                 again.status().ToString().c_str());
    std::abort();
  }
  return 0;
}
