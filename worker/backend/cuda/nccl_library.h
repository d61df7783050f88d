#ifndef SYNCLINE_WORKER_BACKEND_CUDA_NCCL_LIBRARY_H_
#define SYNCLINE_WORKER_BACKEND_CUDA_NCCL_LIBRARY_H_

// NCCL, found when it is wanted: a machine with one GPU need not have it, and no header of it is needed to build.
//
// What we use of its C interface, as NVIDIA's user guide for NCCL documents it ("Communicator Creation and Management
// Functions", "Collective Communication Functions", "Types"). All of it has been the same since 2.14, the first with
// communicators that do not block; groups.cu compares it with nccl.h where the toolkit has one. Uses only C++'s library.

#include <cstddef>
#include <string>

namespace syncline {

using NcclComm = struct NcclCommHandle*;  // ncclComm_t
using NcclStream = void*;                 // cudaStream_t
struct NcclUniqueId {
  char internal[128];
};
// ncclConfig_t as of 2.14: `size` tells a newer library that there is no more of it.
struct NcclConfig {
  size_t size;
  unsigned int magic;
  unsigned int version;
  int blocking;
};

constexpr int kNcclMinimum = 21400;  // as ncclGetVersion counts: 2.14.0
constexpr unsigned int kNcclConfigMagic = 0xcafebeef;
constexpr int kNcclSuccess = 0;     // ncclResult_t
constexpr int kNcclInProgress = 7;
constexpr int kNcclFloat32 = 7;     // ncclDataType_t
constexpr int kNcclSum = 0;         // ncclRedOp_t

// Functions that return int return ncclResult_t.
struct NcclLibrary {
  int version = 0;  // 22809 is 2.28.9

  int (*get_version)(int* version);
  int (*get_unique_id)(NcclUniqueId* id);
  int (*comm_init_rank_config)(NcclComm* comm, int ranks, NcclUniqueId id, int rank, NcclConfig* config);
  int (*comm_get_async_error)(NcclComm comm, int* result);
  int (*comm_abort)(NcclComm comm);
  int (*reduce)(const void* from, void* to, size_t count, int type, int operation, int root, NcclComm comm,
                NcclStream stream);
  int (*broadcast)(const void* from, void* to, size_t count, int type, int root, NcclComm comm, NcclStream stream);
  int (*group_start)();
  int (*group_end)();
  const char* (*get_error_string)(int result);
  const char* (*get_last_error)(NcclComm comm);

  // "NCCL 2.28.9".
  std::string Name() const;
  // What a failed call says of itself, "unhandled system error: socketStartConnect ... failed".
  std::string Explain(int result) const;
};

// Loads the library at `path`, a name as dlopen takes it, for as long as the process lives. False: *error says what is
// missing and what to do.
bool LoadNccl(const std::string& path, NcclLibrary* library, std::string* error);

// The library that $SYNCLINE_NCCL names, else libnccl.so.2, loaded once. Null: *error as above. Thread-safe.
const NcclLibrary* Nccl(std::string* error);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CUDA_NCCL_LIBRARY_H_
