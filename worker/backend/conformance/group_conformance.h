#ifndef SYNCLINE_WORKER_BACKEND_CONFORMANCE_GROUP_CONFORMANCE_H_
#define SYNCLINE_WORKER_BACKEND_CONFORMANCE_GROUP_CONFORMANCE_H_

#include <string>

#include "worker/backend/backend.h"

namespace syncline {

struct GroupConformance {
  std::string skipped;  // why nothing could be tried
  std::string failure;  // the first thing that went wrong; both empty: all is well
};

// Has devices 0 .. ranks - 1 of a backend, a thread each, form groups, sum and copy among each other, leave one in which
// somebody does not answer, and go on in the next one (worker/backend/groups.h). Uses only C++'s library.
GroupConformance CheckGroups(const Backend& backend, int ranks);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CONFORMANCE_GROUP_CONFORMANCE_H_
