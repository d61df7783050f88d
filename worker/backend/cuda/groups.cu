#include <cstdio>
#include <cstring>
#include <string>

#if __has_include(<nccl.h>)
#include <nccl.h>
#endif

#include "worker/backend/cuda/cuda_device.h"
#include "worker/backend/cuda/nccl_library.h"

namespace syncline {

struct BackendGroup {
  BackendDevice* device;
  const NcclLibrary* nccl;
  NcclComm comm;

  cudaStream_t stream() const { return device->streams[kGroupStream]; }
};

namespace {

#ifdef NCCL_MAJOR
static_assert(sizeof(NcclUniqueId) == sizeof(ncclUniqueId) && sizeof(NcclUniqueId) == kBackendGroupIdBytes, "");
static_assert(offsetof(NcclConfig, magic) == offsetof(ncclConfig_t, magic), "");
static_assert(offsetof(NcclConfig, version) == offsetof(ncclConfig_t, version), "");
static_assert(offsetof(NcclConfig, blocking) == offsetof(ncclConfig_t, blocking), "");
static_assert(int{kNcclSuccess} == ncclSuccess && int{kNcclInProgress} == ncclInProgress, "");
static_assert(int{kNcclFloat32} == ncclFloat32 && int{kNcclSum} == ncclSum, "");
static_assert(kNcclMinimum == NCCL_VERSION(2, 14, 0), "");
#endif

// Null: records why.
const NcclLibrary* FindNccl() {
  std::string error;
  const NcclLibrary* nccl = Nccl(&error);
  if (nccl == nullptr) BackendFail(kBackendInvalid, "%s", error.c_str());
  return nccl;
}

int CheckNccl(const NcclLibrary* nccl, int result, const char* call) {
  if (result == kNcclSuccess || result == kNcclInProgress) return kBackendOk;
  return BackendFail(kBackendGroupFailed, "%s: %s", call, nccl->Explain(result).c_str());
}

int DescribeGroups(char* text, size_t size) {
  const NcclLibrary* nccl = FindNccl();
  if (nccl == nullptr) return kBackendInvalid;
  std::snprintf(text, size, "%s", nccl->Name().c_str());
  return kBackendOk;
}

int Locate(BackendDevice* device, char* text, size_t size) {
  SYNCLINE_CUDA(cudaDeviceGetPCIBusId(text, static_cast<int>(size), device->ordinal));
  return kBackendOk;
}

int MakeId(BackendDevice* device, char* id) {
  const NcclLibrary* nccl = FindNccl();
  if (nccl == nullptr) return kBackendInvalid;
  if (const int code = Use(device)) return code;
  NcclUniqueId made = {};
  const int result = nccl->get_unique_id(&made);
  std::memcpy(id, made.internal, sizeof(made.internal));
  return CheckNccl(nccl, result, "ncclGetUniqueId");
}

int Join(BackendDevice* device, const char* id, int ranks, int rank, BackendGroup** group) {
  const NcclLibrary* nccl = FindNccl();
  if (nccl == nullptr) return kBackendInvalid;
  if (const int code = Use(device)) return code;
  NcclUniqueId unique = {};
  std::memcpy(unique.internal, id, sizeof(unique.internal));
  NcclConfig config = {sizeof(NcclConfig), kNcclConfigMagic, kNcclMinimum, /*blocking=*/0};
  NcclComm comm = nullptr;
  const int result = nccl->comm_init_rank_config(&comm, ranks, unique, rank, &config);
  if (const int code = CheckNccl(nccl, result, "ncclCommInitRankConfig")) {
    if (comm != nullptr) nccl->comm_abort(comm);
    return code;
  }
  *group = new BackendGroup{device, nccl, comm};
  return kBackendOk;
}

int Ready(BackendGroup* group, int* ready) {
  if (const int code = Use(group->device)) return code;
  int state = kNcclSuccess;
  const int result = group->nccl->comm_get_async_error(group->comm, &state);
  *ready = state == kNcclSuccess ? 1 : 0;
  if (const int code = CheckNccl(group->nccl, result, "ncclCommGetAsyncError")) return code;
  return CheckNccl(group->nccl, state, "NCCL");
}

// Calls `call` for each part, all in one go.
template <typename Call>
int Together(BackendGroup* group, const BackendGroupPart* parts, size_t count, const char* name, const Call& call) {
  if (const int code = Use(group->device)) return code;
  const NcclLibrary* nccl = group->nccl;
  if (const int code = CheckNccl(nccl, nccl->group_start(), "ncclGroupStart")) return code;
  int code = kBackendOk;
  for (size_t i = 0; i < count && code == kBackendOk; ++i) code = CheckNccl(nccl, call(parts[i]), name);
  const int ended = nccl->group_end();
  return code != kBackendOk ? code : CheckNccl(nccl, ended, "ncclGroupEnd");
}

int Reduce(BackendGroup* group, const BackendGroupPart* parts, size_t count) {
  return Together(group, parts, count, "ncclReduce", [group](const BackendGroupPart& part) {
    return group->nccl->reduce(part.data, part.data, part.floats, kNcclFloat32, kNcclSum, part.root, group->comm,
                               group->stream());
  });
}

int Broadcast(BackendGroup* group, const BackendGroupPart* parts, size_t count) {
  return Together(group, parts, count, "ncclBroadcast", [group](const BackendGroupPart& part) {
    return group->nccl->broadcast(part.data, part.data, part.floats, kNcclFloat32, part.root, group->comm,
                                  group->stream());
  });
}

// Not ncclCommDestroy, which waits for what is under way, and so for ranks that may be gone.
void Leave(BackendGroup* group) {
  if (Use(group->device) == kBackendOk) group->nccl->comm_abort(group->comm);
  delete group;
}

}  // namespace

void AddGroups(Backend* table) {
  static const BackendGroups groups = {DescribeGroups, Locate, MakeId, Join, Ready, Reduce, Broadcast, Leave};
  table->groups = &groups;
}

}  // namespace syncline
