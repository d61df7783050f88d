#ifndef SYNCLINE_WORKER_BACKEND_ERROR_H_
#define SYNCLINE_WORKER_BACKEND_ERROR_H_

// The latest error of each thread, for backends to fill and Backend::last_error to return.

#include <cstdio>

#include "worker/backend/backend.h"

namespace syncline {

struct BackendError {
  char text[512] = "no error";
};

inline BackendError& ThreadError() {
  thread_local BackendError error;
  return error;
}

inline const char* LastBackendError() { return ThreadError().text; }

// Records a printf-style sentence and returns `code`.
template <typename... Args>
int BackendFail(int code, const char* format, Args... args) {
  std::snprintf(ThreadError().text, sizeof(ThreadError().text), format, args...);
  return code;
}

inline int BackendFail(int code, const char* text) { return BackendFail(code, "%s", text); }

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_ERROR_H_
