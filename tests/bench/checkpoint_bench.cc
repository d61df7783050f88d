// What a checkpoint costs training: the longest step of a shard of 1 GB while a snapshot of it is taken and written
// to disk, and the time that the shard answers nobody for it. One worker in this process, sync, SGD.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/io/posix_file_system.h"
#include "common/threads/thread_pool.h"
#include "server/durability/shard_checkpoints.h"
#include "server/shard/shard.h"
#include "tests/bench/measure.h"

namespace syncline {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;
constexpr uint64_t kChunks = 1000000000 / kChunkBytes;
constexpr double kAllowed = 0.05;  // seconds
constexpr int kSteps = 20;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s failed\n", what);
  std::exit(1);
}

class Training {
 public:
  Training() : threads_(1) {
    TensorSpec tensor;
    tensor.set_name("w");
    tensor.add_shape(kChunks * kChunkBytes / sizeof(float));
    ShardOptions options;
    options.job.set_sync_mode(SYNC);
    options.job.mutable_optimizer()->set_kind(SGD);
    options.job.mutable_optimizer()->set_learning_rate(1e-3);
    options.map = map_ = *MakeShardMap({tensor}, {"h:1"}, kChunkBytes, false);
    options.parallel_for = [this](size_t count, const auto& body) { threads_.For(count, body); };
    shard_ = *Shard::Create(std::move(options));
    UpdateMemberRequest admit;
    admit.set_action(UpdateMemberRequest::ADMIT);
    admit.set_incarnation(1);
    Check(shard_->UpdateMember(admit).ok(), "admitting the worker");
    sender_.set_incarnation(1);
    sender_.set_map_epoch(map_.epoch());
    const auto gradient = std::make_shared<std::vector<float>>(kChunkBytes / sizeof(float), 1.0f);
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      gradients_.emplace_back().chunk = chunk;
      gradients_.back().data = Fragments::Of(gradient->data(), kChunkBytes, gradient);
    }
  }

  // Pushes, commits, and pulls what comes of it. Returns seconds.
  double Step() {
    return Seconds([this] {
      bool granted = false;
      Check(shard_->Push(sender_, clock_, gradients_).ok(), "push");
      Check(shard_->Commit(sender_, clock_, 1, {0}).ok(), "commit");
      ++clock_;
      shard_->Pull(sender_, {clock_, {}, false, {}}, [&](auto pulled) { granted = pulled.ok(); });
      Check(granted, "pull");
    });
  }

  // The weights as they are now; training goes on meanwhile.
  ShardSnapshot Snapshot() {
    ShardSnapshot taken;
    shard_->SnapshotAt(clock_, [&](absl::StatusOr<ShardSnapshot> snapshot) {
      Check(snapshot.ok(), "snapshot");
      taken = *std::move(snapshot);
    });
    return taken;
  }
  void Prepare() { shard_->PrepareForSnapshot(); }
  const ShardMap& map() const { return map_; }

 private:
  ThreadPool threads_;
  ShardMap map_;
  std::unique_ptr<Shard> shard_;
  Sender sender_;
  std::vector<ChunkGradient> gradients_;
  Clock clock_ = 0;
};

void Report(const char* name, double seconds) {
  std::printf("{\"group\": \"checkpoint\", \"name\": \"%s\", \"value\": %.6g, \"unit\": \"s\", \"reference\": %g, "
              "\"ratio\": %.4g, \"at_most\": 1}\n", name, seconds, kAllowed, seconds / kAllowed);
}

int Main() {
  Training training;
  std::vector<double> usual;
  for (int i = 0; i < kSteps; ++i) usual.push_back(training.Step());
  ShardSnapshot snapshot;
  Report("the shard answers nobody", Seconds([&] { snapshot = training.Snapshot(); }));
  // Held only: each chunk is copied as it is first written to.
  double longest = training.Step();
  Report("the first step after a snapshot of 1 GB, nothing prepared, more than the median", longest - Median(usual));
  // As a shard does it: while the step comes that the snapshot is asked for, memory is made ready.
  snapshot = {};
  training.Prepare();
  snapshot = training.Snapshot();
  longest = training.Step();
  Report("the first step after a snapshot of 1 GB, more than the median", longest - Median(usual));
  // And written meanwhile.
  const std::string folder = std::filesystem::temp_directory_path() / "syncline_checkpoint_bench";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  snapshot = {};
  training.Prepare();
  snapshot = training.Snapshot();
  bool written = false;
  std::thread writer([&] {
    ShardCheckpoints checkpoints(&PosixFileSystem());
    Check(checkpoints.Write({folder, "", 0, training.map()}, snapshot).ok(), "writing");
    written = true;
  });
  longest = 0;
  for (int i = 0; i < kSteps; ++i) longest = std::max(longest, training.Step());
  writer.join();
  Check(written, "writing");
  std::filesystem::remove_all(folder);
  Report("the longest step while 1 GB is written, more than the longest otherwise",
         longest - *std::max_element(usual.begin(), usual.end()));
  return 0;
}

}  // namespace
}  // namespace syncline

int main() { return syncline::Main(); }
