#ifndef SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_PLAN_H_
#define SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/job.pb.h"

namespace syncline {

// What a process sends, and does with what it gets, in a sum among some. Pure: the same for the same arguments.
//
// Long vectors go round a ring (Patarasuk and Yuan 2009), which sends no byte more than it must; short ones by
// recursive halving and doubling (Thakur et al. 2005), in fewer messages, where the processes are a power of two. Both
// add in an order that depends on the places alone, so a sum is the same in every run. Messages are cut, so that
// one is added while the next one is on its way.
//
// What travels coded goes straight to whoever sums it, also no byte more than must be: each gradient is coded once, and
// decoded before it is added. A ring would code sums of sums, once a process.

// Floats in one piece of memory.
struct FloatRun {
  float* data = nullptr;
  size_t floats = 0;
  // Of this process's own segment: where the sum goes; null: to `data`.
  float* sum = nullptr;
  Codec codec = CODEC_NONE;  // how it travels, to be added
};
// By process: each has a segment, which is the same floats for all.
using FloatSegments = std::vector<std::vector<FloatRun>>;

struct CollectiveAction {
  enum Kind {
    kSend,
    kAdd,   // what comes to what is there
    kPut,   // what comes in place of what is there
    kCopy,  // nothing comes: this process is the only one
  };
  Kind kind = kSend;
  size_t peer = 0;    // to or from which process, of all
  uint32_t part = 0;  // which of the messages between the two
  std::vector<FloatRun> runs;
  // kSend of what is coded: where the message is written (PlaceCoded).
  char* coded = nullptr;
};
// In order. Only kAdd and kPut may have to wait.
using CollectivePlan = std::vector<CollectiveAction>;

// Afterwards the segment of process `me` is the sum of all processes'. The others are undefined.
CollectivePlan PlanReduceScatter(const FloatSegments& segments, size_t me);
// Afterwards every segment is that of its process.
CollectivePlan PlanAllGather(const FloatSegments& segments, size_t me);

// Bytes of a message of these runs: one after the other, each as its codec says.
size_t MessageBytes(const std::vector<FloatRun>& runs);
bool IsCoded(const std::vector<FloatRun>& runs);
// Bytes that the coded messages of a plan take, and gives each its place in `memory`, which has as many.
size_t CodedBytes(const CollectivePlan& plan);
void PlaceCoded(char* memory, CollectivePlan* plan);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_COLLECTIVE_PLAN_H_
