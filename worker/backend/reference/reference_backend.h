#ifndef SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_BACKEND_H_
#define SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_BACKEND_H_

#include "worker/backend/backend.h"

namespace syncline {

// Every operation as its formula, in double, one element after the other: what the others are
// checked against. Tests only.
const Backend* ReferenceBackend();

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_BACKEND_H_
