#include "worker/allreduce/device_sum.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/job.pb.h"
#include "worker/backend/loader.h"

namespace syncline {
namespace {

constexpr int kProcesses = 3;
constexpr size_t kChunk = 5000;

Model ThreeLayers() {
  Model model;
  model.set_input(40);
  for (const uint32_t units : {700, 300, 1}) model.add_layers()->mutable_linear()->set_units(units);
  model.set_loss(MEAN_SQUARED_ERROR);
  return model;
}

// One process of them, with a device that pretends.
struct Process {
  Mailbox mailbox;
  std::unique_ptr<Device> device;
  std::unique_ptr<Network> network;
  std::vector<std::vector<float>> sums;
  std::unique_ptr<DeviceSum> sum;

  explicit Process(int me) {
    LoadedBackend loaded;
    std::string error;
    const std::string folder = absl::StrCat(std::getenv("TEST_SRCDIR"), "/syncline/tests/pretend_gpu");
    EXPECT_TRUE(LoadBackend({"auto", folder, me}, &loaded, &error)) << error;
    device = *Device::Open(loaded.backend, {loaded.ordinal, 1, 0, 0});
    network = *Network::Create(ThreeLayers(), device.get(), 8, 1);
    for (const ParameterSpec& parameter : network->parameters()) sums.emplace_back(parameter.size());
    mailbox.SetGeneration(1);
    mailbox.BeginAttempt({1, 1});
  }

  std::vector<Client::Chunk> Chunks() const {
    std::vector<Client::Chunk> chunks;
    for (size_t t = 0; t < sums.size(); ++t) {
      for (size_t begin = 0; begin < sums[t].size(); begin += kChunk) {
        chunks.push_back({t, begin, std::min(kChunk, sums[t].size() - begin)});
      }
    }
    return chunks;
  }

  absl::Status Join(const std::string& id, int me) {
    SYNCLINE_ASSIGN_OR_RETURN(auto group, DeviceGroup::Join(device.get(), id, kProcesses, me));
    while (!*group->Ready()) std::this_thread::yield();
    DeviceSum::Options options{&mailbox, device.get(), network.get(), {}, Chunks(), kProcesses, size_t(me)};
    for (std::vector<float>& tensor : sums) options.sums.push_back(tensor.data());
    options.batch_floats = 1000;  // as many batches as there are buckets
    SYNCLINE_ASSIGN_OR_RETURN(sum, DeviceSum::Create(options, std::move(group)));
    return absl::OkStatus();
  }
};

class DeviceSumTest : public ::testing::Test {
 protected:
  DeviceSumTest() {
    for (int p = 0; p < kProcesses; ++p) processes_.push_back(std::make_unique<Process>(p));
    const auto id = DeviceGroup::NewId(processes_[0]->device.get());
    SYNCLINE_EXPECT_OK(id);
    All([&](int p) { SYNCLINE_ASSERT_OK(processes_[p]->Join(*id, p)); });
  }
  template <typename Part>
  void All(const Part& part) {
    std::vector<std::thread> threads;
    for (int p = 0; p < kProcesses; ++p) threads.emplace_back([&part, p] { part(p); });
    for (std::thread& thread : threads) thread.join();
  }

  std::vector<std::unique_ptr<Process>> processes_;
};

TEST_F(DeviceSumTest, GathersSharesAndSumsGradients) {
  const std::vector<Client::Chunk> chunks = processes_[0]->Chunks();
  const auto weight = [](size_t tensor, size_t i) { return static_cast<float>(tensor * 1000003 + i); };
  const auto gradient = [](int p, size_t tensor, size_t i) { return static_cast<float>((i % 101 + tensor) * (p + 1)); };
  std::vector<int> summed(chunks.size());
  std::vector<size_t> calls(kProcesses);
  absl::Mutex mu;
  All([&](int p) {
    Process& own = *processes_[p];
    for (const uint32_t c : ShareOf(CutBuckets(chunks, {0, 1, 2}, kProcesses), p)) {
      const auto [tensor, begin, floats] = chunks[c];
      for (size_t i = begin; i < begin + floats; ++i) own.network->value(tensor)[i] = weight(tensor, i);
    }
    for (int step = 0; step < 2; ++step) {
      SYNCLINE_ASSERT_OK(own.sum->Gather());
      for (size_t t = 0; t < own.sums.size(); ++t) {
        for (size_t i = 0; i < own.sums[t].size(); ++i) ASSERT_EQ(own.network->device_value(t)[i], weight(t, i));
      }
      own.sum->Begin([&](const std::vector<uint32_t>& made) {
        absl::MutexLock lock(&mu);
        ++calls[p];
        for (const uint32_t c : made) ++summed[c];
        for (const uint32_t c : made) {
          const auto [tensor, begin, floats] = chunks[c];
          for (size_t i = begin; i < begin + floats; ++i) {
            ASSERT_EQ(own.sums[tensor][i], gradient(0, tensor, i) * 6) << tensor << " " << i;
          }
        }
      });
      for (size_t t = own.sums.size(); t-- > 0;) {
        for (size_t i = 0; i < own.sums[t].size(); ++i) own.network->device_gradient(t)[i] = gradient(p, t, i);
        SYNCLINE_ASSERT_OK(own.sum->Made(t));
      }
      SYNCLINE_ASSERT_OK(own.sum->Finish());
    }
    EXPECT_GT(own.sum->TakeSentBytes(), 0u);
  });
  for (const int times : summed) EXPECT_EQ(times, 2) << "once a step, by one process";
  for (const size_t times : calls) EXPECT_GE(times, 4u) << "in several batches";
}

TEST_F(DeviceSumTest, WhoWaitsForOneThatIsLostIsTold) {
  std::thread notices([this] {
    absl::SleepFor(absl::Milliseconds(100));
    for (int p = 0; p + 1 < kProcesses; ++p) processes_[p]->mailbox.SetGeneration(2);
  });
  All([&](int p) {
    if (p + 1 == kProcesses) return;
    EXPECT_THAT(processes_[p]->sum->Gather(), StatusIs(absl::StatusCode::kAborted));
    EXPECT_EQ(processes_[p]->sum->failure(), "") << "not the group's fault";
    processes_[p]->sum->Leave();
    SYNCLINE_EXPECT_OK(processes_[p]->device->Run(&Backend::synchronize)) << "the device goes on";
  });
  notices.join();
}

}  // namespace
}  // namespace syncline
