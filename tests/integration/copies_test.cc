// How often the bytes of tensors are copied in user space on their whole way, gRPC included: this program
// has the memcpy and memmove that it and every library in it calls, and counts what they move.

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/memory/shared_memory.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"

namespace {

// Shorter ones are heads of messages and the like.
constexpr size_t kCounted = 1024;

std::atomic<size_t> copied{0};
std::atomic<size_t> copied_to_elsewhere{0};
// Blocks of this size and less are staged in the first cache, on a stack.
constexpr size_t kBlock = 16 << 10;

}  // namespace

extern "C" void* memmove(void* to, const void* from, size_t bytes) {
  if (bytes >= kCounted) copied.fetch_add(bytes, std::memory_order_relaxed);
  if (bytes > kBlock) copied_to_elsewhere.fetch_add(bytes, std::memory_order_relaxed);
  void* const result = to;
  const char* source = static_cast<const char*>(from);
  if (to <= from || static_cast<const char*>(to) >= source + bytes) {
    asm volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(bytes) : : "memory");
  } else {
    char* last = static_cast<char*>(to) + bytes - 1;
    source += bytes - 1;
    asm volatile("std; rep movsb; cld" : "+D"(last), "+S"(source), "+c"(bytes) : : "memory");
  }
  return result;
}

extern "C" void* memcpy(void* to, const void* from, size_t bytes) {
  return memmove(to, from, bytes);
}

namespace syncline {
namespace {

constexpr size_t kElements = 4 << 20;
constexpr size_t kBytes = kElements * sizeof(float);

struct Copies {
  double all = 0;    // a byte of the tensor
  double large = 0;  // of these, in pieces that are no blocks of the update's
};

// One worker and one shard with a tensor of 16 MiB in chunks of 1 MiB.
class CopiesTest : public testing::TestWithParam<bool> {
 protected:
  CopiesTest() : cluster_(Job()) {
    ClientOptions options;
    options.coordinator = cluster_.coordinator();
    client_ = *Client::Connect(options);
    if (GetParam()) client_->Lend(memory_);
    TensorSpec tensor;
    tensor.set_name("a");
    tensor.add_shape(kElements);
    SYNCLINE_EXPECT_OK(client_->CreateTensors({tensor}));
    std::fill_n(weights_ + kElements, kElements, 1.0f);
  }
  static JobManifest Job() {
    JobManifest job = SmallJob(1, 1, 100);
    job.set_sync_mode(ASYNC);
    job.set_shared_memory(GetParam());
    job.set_chunk_bytes(1 << 20);
    job.mutable_optimizer()->set_kind(SGD);
    job.mutable_optimizer()->set_learning_rate(1);
    return job;
  }

  Copies Push() {
    return Counted([this](Client::Done done) {
      client_->Push(clock_++, {{0, weights_ + kElements}}, std::move(done));
    });
  }
  Copies Pull() {
    float* const to[] = {weights_};
    return Counted([&](Client::Done done) { client_->Observe({to}, std::move(done)); });
  }
  static Copies Counted(const std::function<void(Client::Done)>& begin) {
    copied = copied_to_elsewhere = 0;
    absl::Notification done;
    begin([&](const absl::Status& status) {
      SYNCLINE_EXPECT_OK(status);
      done.Notify();
    });
    done.WaitForNotification();
    return {static_cast<double>(copied) / kBytes,
            static_cast<double>(copied_to_elsewhere) / kBytes};
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(2 * kBytes);
  float* const weights_ = reinterpret_cast<float*>(memory_->data());
  InProcessCluster cluster_;
  std::unique_ptr<Client> client_;
  Clock clock_ = 0;
};

TEST(CopiesTest, CountsWhatIsCopied) {
  std::vector<char> from(kBytes, 1), to(kBytes);
  copied = 0;
  std::memcpy(to.data(), from.data(), from.size());
  EXPECT_GE(copied, kBytes);
  EXPECT_EQ(to, from);
}

// Over the network received floats seldom lie aligned, so the update puts each block of them right in
// the first cache. Nothing else is copied.
TEST_P(CopiesTest, APushIsAppliedWhereItIsReceived) {
  Push();
  for (int i = 0; i < 3; ++i) {
    const Copies copies = Push();
    EXPECT_LE(copies.all, GetParam() ? 0.02 : 1.02);
    EXPECT_LE(copies.large, 0.02);
  }
}

// gRPC receives into memory of its own and shared memory is the worker's, so weights are copied once: to
// where the layer wants them.
TEST_P(CopiesTest, APullIsCopiedOnceToItsPlace) {
  Push();
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(Pull().all, 1.02);
    EXPECT_EQ(weights_[kElements - 1], weights_[0]);
    Push();
  }
  EXPECT_LT(weights_[0], 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, CopiesTest, testing::Bool(), [](const auto& info) {
  return info.param ? "SharedMemory" : "Network";
});

}  // namespace
}  // namespace syncline
