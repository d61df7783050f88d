#ifndef SYNCLINE_WORKER_LOCAL_HOST_SUM_H_
#define SYNCLINE_WORKER_LOCAL_HOST_SUM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/shared_memory.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"
#include "worker/local/host_group.h"
#include "worker/local/local_team.h"
#include "worker/model/device.h"
#include "worker/model/network.h"

namespace syncline {

// A step of a host, on its leader: the gradients of all parts are added up in the leader's network,
//
//   gradient = sum over parts, in order, of count / total * the part's gradient
//
// parameter by parameter in the order in which the leader makes them, so that those that are complete
// are pushed while others are computed. A part without a helper, or whose helper is lost, is computed
// here with the same weights into memory of its own; so who computes what changes no bit of the sum.
//
// Used by one thread. Everything named in Options outlives it. Gradients are added up in host memory,
// also with a GPU.
class HostSum {
 public:
  struct Options {
    LocalTeam* team = nullptr;
    Network* network = nullptr;
    const Device* device = nullptr;
    // The block network's values lie in.
    std::shared_ptr<SharedMemory> values;
    JobManifest job;
  };
  // A parameter's sum is complete, in network->gradient().
  using Complete = std::function<void(size_t parameter)>;
  // Forward and backward of samples of the step, counted from its first.
  using Compute = std::function<absl::StatusOr<BatchResult>(Network* network, const HostPart& part)>;

  explicit HostSum(Options options) : options_(std::move(options)) {}

  LocalTeam* team() const { return options_.team; }
  // Begins a step of at least one sample: the leader's own part of it.
  HostPart Begin(const StepLease& step);
  void Abort() { options_.team->Abort(); }
  // The leader's own gradient of `parameter` is there. Adds up what is complete; does not wait.
  void Made(size_t parameter, const Complete& complete);
  // The leader's own part is done. Waits for the others, computes what is missing, and adds up the
  // rest. What all parts but the leader's came to.
  absl::StatusOr<BatchResult> Finish(const Compute& compute, const Complete& complete);

 private:
  // Of a part that nobody else computes.
  struct Spare {
    std::unique_ptr<Network> network;
    bool computed = false;
    BatchResult result;
  };
  absl::Status ComputeHere(size_t part, const Compute& compute);
  // The gradient of a part, if it is there; see LocalTeam::Gradients.
  const float* Gradient(size_t part, size_t parameter, bool wait);
  // Finds the gradients of all parts but the leader's, unless one is missing.
  bool Gather(size_t parameter);
  // Adds up what Gather found. A helper that is lost in between has made it, and its block stays.
  void AddUp(size_t parameter);

  const Options options_;
  std::vector<HostPart> parts_;
  uint64_t total_ = 0;
  std::vector<Spare> spares_;   // by part; networks are kept for later steps
  std::vector<size_t> order_;   // parameters the leader has made
  size_t added_ = 0;            // how many of them are complete
  std::vector<const float*> others_;  // found by Gather: of parts 1, 2, ...
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_LOCAL_HOST_SUM_H_
