#ifndef SYNCLINE_WORKER_PIPELINE_STAGE_H_
#define SYNCLINE_WORKER_PIPELINE_STAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"
#include "worker/model/network.h"
#include "worker/team/team.h"

namespace syncline {

// Some layers of a model, and the way a batch takes through them: cut into micro-batches, whose activations come
// from the stage before and go to the one after, and whose gradients come back. A stage may also be all
// of the model, which then only adds up the gradients of small batches.
//
// Used by one thread. What Options names outlives it.
class PipelineStage {
 public:
  struct Options {
    Network* network = nullptr;  // made with Part() of the same pipeline and stage
    const Device* device = nullptr;
    // Null for a model on a single stage. Of the `parts` processes that share each stage, the one at place
    // stage * parts + part has part `part`, and says what it says to the same part of another stage.
    Team* team = nullptr;
    Pipeline pipeline;
    int stage = 0;
    int max_rows = 0;  // of a whole batch
    std::string layers;  // this stage's, for people
    int part = 0;
    int parts = 1;
  };
  // How a network for that is made, and for how many rows.
  static Network::Part Part(const Pipeline& pipeline, int stage, const LayerRange& layers);
  static int MicroRows(const Pipeline& pipeline, int max_rows);

  static absl::StatusOr<std::unique_ptr<PipelineStage>> Create(const Options& options);
  // Waits until what was sent has arrived, or its receiver has gone.
  ~PipelineStage();

  // Forward and backward of a batch. Its features are looked at on the first stage, its labels or targets on the
  // last; all of it stays until the return. `await` and `ready` as of Network. What it came to, on the
  // last stage. ABORTED once the team is no longer the attempt's.
  absl::StatusOr<BatchResult> Run(const Batch& batch, const TeamAttempt& attempt,
                                  const Network::AwaitValues& await, const Network::GradientReady& ready);
  // Loss and accuracy, on the last stage.
  absl::StatusOr<BatchResult> Evaluate(const Batch& batch, const TeamAttempt& attempt);

  // What this process takes of a pipeline's memory and time.
  TeamProgress progress() const;

  bool first() const { return options_.stage == 0; }
  bool last() const { return options_.stage + 1 == stages(); }

 private:
  explicit PipelineStage(const Options& options) : options_(options) {}
  int stages() const { return static_cast<int>(options_.pipeline.stages()); }
  uint32_t PlaceOf(int stage) const { return static_cast<uint32_t>(stage * options_.parts + options_.part); }
  absl::Status Allocate();
  // Memory of what is sent, which other processes of this host read where it lies.
  absl::StatusOr<DeviceMemory> AllocateSent(size_t bytes);
  // Of `batch`, its part number `m` of `parts`; features are this stage's own for what comes from another one.
  Batch Micro(const Batch& batch, int m, int parts, int slot);
  absl::Status Forward(const Batch& micro, int m, int slot, const Network::AwaitValues& await);
  absl::Status Backward(const Batch& micro, int m, int parts, int slot, const Network::GradientReady& ready);
  absl::Status GetInput(const Batch& micro, int m, int slot);
  absl::Status Send(TeamMessage::Kind kind, int stage, int m, const float* device_memory,
                    size_t floats, int slot);
  absl::Status Receive(TeamMessage::Kind kind, int stage, int m, float* device_memory, size_t floats);

  const Options options_;
  int slots_ = 1;
  TeamAttempt attempt_;
  // Device memory, by slot: what came from the stage before, and its gradient.
  DeviceMemory inputs_, input_gradients_;
  DeviceMemory output_gradient_;
  // Where device memory is not host memory: what is sent of each kind, by slot, and what is received.
  DeviceMemory sent_outputs_, sent_gradients_, received_;
  // What is sent from a slot's memory, by slot; null: nothing was.
  std::vector<std::shared_ptr<Delivery>> outputs_sent_, gradients_sent_;
  uint64_t sent_bytes_ = 0;
  double seconds_ = 0;
  double idle_seconds_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_STAGE_H_
