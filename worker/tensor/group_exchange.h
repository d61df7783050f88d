#ifndef SYNCLINE_WORKER_TENSOR_GROUP_EXCHANGE_H_
#define SYNCLINE_WORKER_TENSOR_GROUP_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/fragments.h"
#include "worker/model/device.h"
#include "worker/model/tensor_group.h"
#include "worker/team/team.h"

namespace syncline {

// What the processes that share a stage say to each other, by messages of their team. All go through the same
// rounds in the same order: in each, a process sends to others what it has for them and takes what they have for
// it.
//
// Sums are made in the order of the parts, so that they are the same in every process and in every run. Used by one
// thread.
class GroupExchange final : public TensorGroup {
 public:
  struct Options {
    Team* team = nullptr;
    const Device* device = nullptr;
    uint32_t first_place = 0;  // that of part 0
    int part = 0;
    int parts = 1;
  };
  explicit GroupExchange(const Options& options)
      : TensorGroup(options.part, options.parts), options_(options) {}
  // Waits until what was sent has arrived, or its receiver has gone.
  ~GroupExchange() override { AwaitSent(); }

  // One try of a step begins, and with it the first round.
  void Begin(const TeamAttempt& attempt);

  absl::Status StartSum(float* data, size_t floats) override;
  absl::Status FinishSum() override;
  absl::Status Gather(int rows, int width, const float* own, float* whole) override;
  absl::Status Take(int rows, int width, const float* whole, float* own) override;

  // What was sent two rounds ago has arrived when this returns: whoever got something in the last one had read it.
  void BeginRound();
  // To another part; at most once a round, and what is sent stays as it is until the round after the next begins, or
  // AwaitSent has returned. Nothing is sent, nor expected, of no bytes.
  void Send(int to, const Fragments& data);
  // Reads what another part has sent in this round, which must be so many bytes. A message is let go before the next
  // one is waited for: its sender may be waiting for that.
  absl::Status Receive(int from, size_t bytes, const std::function<void(FloatReader*)>& read);
  void AwaitSent();

  // Memory on the host, which processes of this host read where it lies.
  absl::StatusOr<DeviceMemory> ToSend(size_t bytes);

  // Since this object was made: bytes sent, and seconds that others were waited for.
  uint64_t sent_bytes() const { return sent_bytes_; }
  double idle_seconds() const { return idle_seconds_; }

 private:
  // What is sent in this round, on the host; no longer looked at by others.
  absl::StatusOr<float*> Outbox(size_t floats);
  // Where to put what then goes to the device: there at once, if that is the host's memory.
  absl::StatusOr<float*> Inbox(float* device_memory, size_t floats);
  // Of the sum under way, what part `p` adds up: all of it, or a part each.
  PartRange AddedBy(int p) const;
  // The sums that the others have made, after this process's.
  absl::Status GatherSums(float* sum);
  absl::Status ToHost(float* host, const float* data, size_t floats);
  absl::Status ToDevice(float* data, const float* host, size_t floats);
  void Await(std::vector<std::shared_ptr<Delivery>>* sent);

  const Options options_;
  TeamAttempt attempt_;
  uint32_t round_ = 0;
  uint64_t sent_bytes_ = 0;
  double idle_seconds_ = 0;
  std::vector<std::shared_ptr<Delivery>> sent_[2];  // in rounds of even and odd numbers
  DeviceMemory outbox_[2];
  DeviceMemory inbox_;  // where device memory is not host memory
  // The sum under way.
  float* sum_ = nullptr;
  size_t floats_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TENSOR_GROUP_EXCHANGE_H_
