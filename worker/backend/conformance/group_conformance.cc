#include "worker/backend/conformance/group_conformance.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace syncline {
namespace {

using Id = std::vector<char>;

constexpr auto kPatience = std::chrono::seconds(60);

// One device's part, on a thread of its own.
class Rank {
 public:
  Rank(const Backend& backend, int ranks, int rank) : backend_(backend), ranks_(ranks), rank_(rank) {
    const BackendOptions options = {rank, 1, 0, 0};
    if (Check(backend_.open_device(&options, &device_), "open_device")) {
      Check(backend_.create_event(device_, &event_), "create_event");
    }
  }
  ~Rank() {
    if (group_ != nullptr) backend_.groups->leave(group_);
    if (event_ != nullptr) backend_.destroy_event(device_, event_);
    for (void* memory : memory_) backend_.release(device_, memory);
    if (device_ != nullptr) backend_.close_device(device_);
  }
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  const std::string& failure() const { return failure_; }
  Id NewId() {
    Id id(kBackendGroupIdBytes);
    Check(backend_.groups->make_id(device_, id.data()), "make_id");
    return id;
  }

  void Join(const Id& id) {
    if (Check(backend_.groups->join(device_, id.data(), ranks_, rank_, &group_), "join")) AwaitReady();
  }

  // Parts of odd sizes, each for another rank in turn; whole numbers, so that sums are exact.
  void SumAndCopy(int round) {
    if (!failure_.empty()) return;
    const auto own = [round](int rank, size_t i) { return static_cast<float>((i % 13 + round) * (rank + 1)); };
    std::vector<BackendGroupPart> parts;
    for (const size_t floats : {size_t{1}, size_t{1000}, size_t{4099}, size_t{300001}}) {
      std::vector<float> values(floats);
      for (size_t i = 0; i < floats; ++i) values[i] = own(rank_, i);
      parts.push_back({Upload(values), floats, static_cast<int>(parts.size() + round) % ranks_});
    }
    if (!failure_.empty()) return;
    Check(backend_.groups->reduce(group_, parts.data(), parts.size()), "reduce");
    AwaitReady();
    Check(backend_.groups->broadcast(group_, parts.data(), parts.size()), "broadcast");
    AwaitReady();
    if (!Finished(kPatience)) return Fail("sums and copies that all have begun do not end");
    for (const BackendGroupPart& part : parts) {
      const std::vector<float> sums = Download(part);
      for (size_t i = 0; i < part.floats && failure_.empty(); ++i) {
        const float expected = own(0, i) * static_cast<float>(ranks_ * (ranks_ + 1) / 2);
        if (sums[i] != expected) {
          Fail("float " + std::to_string(i) + " of " + std::to_string(part.floats) + " is " + std::to_string(sums[i]) +
               " and not " + std::to_string(expected));
        }
      }
    }
  }

  // The others call and the last one does not: nothing blocks, nothing ends, and whoever leaves can go on.
  void SumWithoutTheLast() {
    if (!failure_.empty()) return;
    if (rank_ + 1 < ranks_) {
      const BackendGroupPart part = {Upload(std::vector<float>(1000, 1.0f)), 1000, 0};
      Check(backend_.groups->reduce(group_, &part, 1), "reduce");
      if (Finished(std::chrono::milliseconds(300))) return Fail("a sum ended without the last device");
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(600));  // until the others have seen that
    }
    backend_.groups->leave(group_);
    group_ = nullptr;
    Check(backend_.synchronize(device_), "synchronize");
  }

 private:
  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = "rank " + std::to_string(rank_) + ": " + what;
  }
  bool Check(int code, const std::string& call) {
    if (code != kBackendOk) Fail(call + ": " + backend_.last_error());
    return code == kBackendOk && failure_.empty();
  }
  // Asks until it is so, the time is over, or something has failed.
  template <typename Ask>
  bool Await(std::chrono::milliseconds patience, const Ask& ask) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (failure_.empty() && std::chrono::steady_clock::now() < end) {
      if (ask()) return true;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return false;
  }
  bool Ready() {
    int ready = 0;
    return Check(backend_.groups->ready(group_, &ready), "ready") && ready != 0;
  }
  void AwaitReady() {
    if (!Await(kPatience, [this] { return Ready(); })) Fail("the group does not become ready");
  }
  // Whether what the group was called for ends in time.
  bool Finished(std::chrono::milliseconds patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    if (!Await(patience, [this] { return Ready(); })) return false;
    if (!Check(backend_.record_event(device_, event_, kGroupStream), "record_event")) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    return Await(left, [this] {
      int done = 0;
      return Ready() && Check(backend_.query_event(device_, event_, &done), "query_event") && done != 0;
    });
  }
  float* Upload(const std::vector<float>& values) {
    void* memory = nullptr;
    Check(backend_.allocate(device_, values.size() * sizeof(float), &memory), "allocate");
    if (memory == nullptr) return nullptr;
    memory_.push_back(memory);
    Check(backend_.copy(device_, kComputeStream, memory, values.data(), values.size() * sizeof(float)), "copy");
    Check(backend_.record_event(device_, event_, kComputeStream), "record_event");
    Check(backend_.wait_event(device_, event_), "wait_event");
    return static_cast<float*>(memory);
  }
  std::vector<float> Download(const BackendGroupPart& part) {
    std::vector<float> values(part.floats);
    Check(backend_.copy(device_, kDownloadStream, values.data(), part.data, part.floats * sizeof(float)), "copy");
    Check(backend_.synchronize(device_), "synchronize");
    return values;
  }

  const Backend& backend_;
  const int ranks_, rank_;
  BackendDevice* device_ = nullptr;
  BackendEvent* event_ = nullptr;
  BackendGroup* group_ = nullptr;
  std::vector<void*> memory_;
  std::string failure_;
};

// Does `part` for every rank at once; "" or the first failure.
template <typename Part>
std::string All(std::vector<std::unique_ptr<Rank>>* ranks, const Part& part) {
  std::vector<std::thread> threads;
  for (auto& rank : *ranks) threads.emplace_back([&part, one = rank.get()] { part(one); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& rank : *ranks) {
    if (!rank->failure().empty()) return rank->failure();
  }
  return "";
}

}  // namespace

GroupConformance CheckGroups(const Backend& backend, int ranks) {
  char text[64] = "";
  if (backend.groups == nullptr) return {"no groups of devices", ""};
  if (backend.groups->describe(text, sizeof(text)) != kBackendOk) return {backend.last_error(), ""};
  std::vector<std::unique_ptr<Rank>> all;
  for (int r = 0; r < ranks; ++r) all.push_back(std::make_unique<Rank>(backend, ranks, r));
  std::string failure;
  for (const bool lost : {true, false}) {
    if (lost && ranks == 1) continue;
    const Id id = all.front()->NewId();
    failure = All(&all, [&](Rank* rank) {
      rank->Join(id);
      for (int round = 0; round < 2; ++round) rank->SumAndCopy(round);
      if (lost) rank->SumWithoutTheLast();
    });
    if (!failure.empty()) break;
  }
  return {"", failure};
}

}  // namespace syncline
