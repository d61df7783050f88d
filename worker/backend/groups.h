#ifndef SYNCLINE_WORKER_BACKEND_GROUPS_H_
#define SYNCLINE_WORKER_BACKEND_GROUPS_H_

// Groups: devices of several processes that add and copy among each other, without the host. A part of the table
// (worker/backend/backend.h) that a backend may lack: plain C, and its rules of ownership and threads hold here too.
//
// All devices of a group make the same calls in the same order. No call waits for the others: what is under way ends
// when all have made it, and never if one of them is gone. So ask `ready` and events (query_event), and `leave` when
// it is to end. Work of a group runs on kGroupStream of its device.
//
// Errors: kBackendGroupFailed is the group's alone. Only leave it then; the device goes on.

#include <stddef.h>

namespace syncline {

struct BackendDevice;
struct BackendGroup;  // as one of its devices has it

constexpr size_t kBackendGroupIdBytes = 128;

// Floats in device memory, and the rank that has to do with them: whom the sum is for, or who has them.
struct BackendGroupPart {
  float* data;
  size_t floats;
  int root;
};

struct BackendGroups {
  // What groups are made with, "NCCL 2.28.9"; kBackendInvalid if it is not there, and last_error says why.
  int (*describe)(char* text, size_t size);
  // Where a device is: the same for no two of a host.
  int (*locate)(BackendDevice* device, char* text, size_t size);
  // kBackendGroupIdBytes that name a new group, for all that are to join it.
  int (*make_id)(BackendDevice* device, char* id);
  // Becomes the device of rank `rank` of `ranks`; it is one when `ready` says so. A process may be in no group twice.
  int (*join)(BackendDevice* device, const char* id, int ranks, int rank, BackendGroup** group);
  // Whether all calls up to now have been submitted to the stream. Only then call the next one, or record an event.
  int (*ready)(BackendGroup* group, int* ready);
  // Each part becomes, where its root is, the sum of that of all devices. Added in one order in every run.
  int (*reduce)(BackendGroup* group, const BackendGroupPart* parts, size_t count);
  // Each part becomes what its root has.
  int (*broadcast)(BackendGroup* group, const BackendGroupPart* parts, size_t count);
  // Gives up what is under way, whose outputs are then undefined, and ends the group here. Does not wait for others.
  void (*leave)(BackendGroup* group);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_GROUPS_H_
