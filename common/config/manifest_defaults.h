#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_DEFAULTS_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_DEFAULTS_H_

#include "proto/job.pb.h"

namespace syncline {

// Sets each field that is not set and has a default, also those that depend on others (epsilon on
// the optimizer's kind, momentum too, the csv settings on the format). What is set stays. After
// this the only unset fields are those that mean nothing to this job.
void FillManifestDefaults(JobManifest* job);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_DEFAULTS_H_
