#ifndef SYNCLINE_WORKER_ALLREDUCE_DEVICE_SUM_H_
#define SYNCLINE_WORKER_ALLREDUCE_DEVICE_SUM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/allreduce/sum_layout.h"
#include "worker/client/client.h"
#include "worker/model/device.h"
#include "worker/model/device_group.h"
#include "worker/model/network.h"
#include "worker/team/mailbox.h"

namespace syncline {

// The sums of an all-reduce on the devices of its processes: of the gradients only the sums of this process's share come
// to the host, and of the weights only its share goes to the device from there.
//
// A batch of buckets is summed when backward has made it (BackwardOptions::on_device), while it goes on with the
// layers below; then its share is copied to the host, while the next batch is summed. Every process submits the same
// batches in the same order. Nothing here waits for a device alone, which somebody else's end could keep for ever: it
// asks, and asks the mailbox whether the attempt is still on.
//
// Used by the device's thread. Errors: ABORTED if the group has failed (failure()), those of Mailbox::Take, or the
// device's. After one, Leave is all that may be called.
class DeviceSum {
 public:
  struct Options {
    Mailbox* mailbox = nullptr;
    const Device* device = nullptr;
    Network* network = nullptr;
    std::vector<float*> sums;  // where those of each parameter go, host memory
    std::vector<Client::Chunk> chunks;
    size_t processes = 1;
    size_t me = 0;  // of them
    // Of a batch at least; a call costs about as much time as so many on their way between two devices.
    size_t batch_floats = size_t{1} << 20;
  };
  // Some chunks are summed, and on the host.
  using Summed = std::function<void(const std::vector<uint32_t>& chunks)>;

  static absl::StatusOr<std::unique_ptr<DeviceSum>> Create(const Options& options,
                                                           std::unique_ptr<DeviceGroup> group);
  ~DeviceSum() { Leave(); }

  // This process's share of the weights is in the network's host memory: afterwards all are on every device.
  absl::Status Gather();
  // The gradients of a step.
  void Begin(Summed summed);
  // That of a parameter is submitted. Does not wait.
  absl::Status Made(size_t parameter);
  // All were made: sums the rest.
  absl::Status Finish();
  // Gives up what is under way. Afterwards nothing touches the network's memory or the sums.
  void Leave();

  // How the group has failed; "" while it has not.
  const std::string& failure() const { return failure_; }
  // From this device to others, since it was asked last.
  uint64_t TakeSentBytes() { return std::exchange(sent_bytes_, 0); }

 private:
  // Floats on the host and on the device.
  struct Run {
    float* host = nullptr;
    float* device = nullptr;
    size_t floats = 0;
  };
  // Buckets that are summed in one go.
  struct Batch {
    size_t parameters = 0;
    std::vector<DeviceGroup::Part> parts;
    std::vector<Run> own;          // this process's share
    std::vector<uint32_t> chunks;  // likewise
    std::vector<Event> made, summed, copied;  // one each
  };

  explicit DeviceSum(const Options& options, std::unique_ptr<DeviceGroup> group)
      : options_(options), group_(std::move(group)) {}
  absl::Status Plan();
  // Runs of some chunks, which follow one another where the memory does.
  void Append(const std::vector<uint32_t>& chunks, bool gradients, size_t process, std::vector<DeviceGroup::Part>* parts,
              std::vector<Run>* own) const;
  absl::Status Advance(bool wait);
  // One step of that, if it can be made without waiting.
  absl::StatusOr<bool> Step();
  absl::Status Submit(Batch* batch);
  absl::Status Copy(Batch* batch);
  // What the group says: of its own failures, that the step is to be tried again.
  absl::Status Check(const absl::Status& status);
  absl::StatusOr<bool> Ready();
  absl::Status Await(const std::function<absl::StatusOr<bool>()>& there);
  static uint64_t SentBytes(const std::vector<DeviceGroup::Part>& parts, size_t me, bool own);

  const Options options_;
  std::unique_ptr<DeviceGroup> group_;
  std::vector<Batch> batches_;
  std::vector<size_t> batch_of_;  // by parameter
  std::vector<DeviceGroup::Part> weights_;
  std::vector<Run> own_weights_;
  std::vector<Event> gathered_;  // one

  Summed summed_;
  std::vector<size_t> made_;  // parameters, by batch
  // Batches of this step, in order: whose last parameter is made, that were given to the group, whose copies were
  // submitted, and which are on the host.
  size_t complete_ = 0, submitted_ = 0, copied_ = 0, ended_ = 0;
  uint64_t sent_bytes_ = 0;
  std::string failure_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_DEVICE_SUM_H_
