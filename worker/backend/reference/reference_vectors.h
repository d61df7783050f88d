#ifndef SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_VECTORS_H_
#define SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_VECTORS_H_

#include "worker/backend/backend.h"

namespace syncline {

// What works on rows of tables and on vectors that lie side by side.
void AddReferenceVectors(Backend* table);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_REFERENCE_REFERENCE_VECTORS_H_
