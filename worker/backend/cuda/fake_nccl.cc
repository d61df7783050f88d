// A library with NCCL's functions, for nccl_library_test: one of FAKE_WHOLE, FAKE_OLD (2.13) and FAKE_LACKING is set.

#include <cstddef>

extern "C" {

int ncclGetVersion(int* version) {
#ifdef FAKE_OLD
  *version = 21304;
#else
  *version = 21803;
#endif
  return 0;
}
int ncclGetUniqueId(void* id) {
  static_cast<char*>(id)[127] = 'x';
  return 0;
}
int ncclCommGetAsyncError(void*, int* result) {
  *result = 7;
  return 0;
}
int ncclCommAbort(void*) { return 0; }
int ncclReduce(const void*, void*, size_t, int, int, int, void*, void*) { return 6; }
#ifndef FAKE_LACKING
int ncclBroadcast(const void*, void*, size_t, int, int, void*, void*) { return 0; }
#endif
int ncclGroupStart() { return 0; }
int ncclGroupEnd() { return 0; }
const char* ncclGetErrorString(int result) { return result == 6 ? "remote process exited" : "other"; }
const char* ncclGetLastError(void*) { return "connection closed by peer"; }

#ifndef FAKE_OLD
struct Id {
  char internal[128];
};
struct Config {
  size_t size;
  unsigned int magic, version;
  int blocking;
};
// Says by its result that it was called as it is to be.
int ncclCommInitRankConfig(void** comm, int ranks, Id id, int rank, Config* config) {
  *comm = nullptr;
  const bool right = ranks == 3 && rank == 2 && id.internal[127] == 'x' && config->size == 24 &&
                     config->magic == 0xcafebeef && config->version == 21400 && config->blocking == 0;
  return right ? 7 : 4;
}
#endif

}  // extern "C"
