#include "tests/integration/in_process_cluster.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/config/manifest.h"
#include "common/io/posix_file_system.h"
#include "common/io/safetensors.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "common/wire/protocol_version.h"
#include "gtest/gtest.h"
#include "server/durability/checkpoint_reader.h"

namespace syncline {

std::string FreshFolder(const std::string& name) {
  static int number = 0;
  const std::string folder = absl::StrCat(testing::TempDir(), "/", name, "-", ++number);
  SYNCLINE_EXPECT_OK(PosixFileSystem().RemoveFolder(folder));
  SYNCLINE_EXPECT_OK(PosixFileSystem().CreateFolder(folder));
  return folder;
}

JobManifest SmallJob(uint32_t features, uint32_t hidden, uint64_t samples) {
  JobManifest job;
  job.set_name("small");
  job.mutable_model()->set_input(features);
  job.mutable_model()->add_layers()->mutable_linear()->set_units(hidden);
  job.mutable_model()->add_layers()->mutable_tanh();
  job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
  job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
  job.mutable_data()->set_format(RANDOM_LINEAR);
  job.mutable_data()->set_samples(samples);
  job.mutable_optimizer()->set_kind(MOMENTUM);
  job.mutable_optimizer()->set_learning_rate(0.02);
  job.set_chunk_bytes(4096);
  job.set_device("cpu");
  job.set_batch_size(8);
  job.set_epochs(2);
  job.mutable_checkpoint()->set_directory(FreshFolder("checkpoints"));
  return job;
}

InProcessCluster::InProcessCluster(JobManifest job, const std::string& restore,
                                   absl::Duration member_lease, FileSystem* files,
                                   bool start_shards)
    : job_(std::move(job)), files_(files) {
  SYNCLINE_EXPECT_OK(CompleteManifest(&job_));
  CoordinatorServer::Options& options = coordinator_options_;
  options.metadata = FreshFolder("metadata");
  options.job = job_;
  options.restore = restore;
  options.member_lease = member_lease;
  options.lease_steps = 16;
  options.load_interval = absl::Milliseconds(300);
  options.files = files;
  auto coordinator = CoordinatorServer::Start(options);
  SYNCLINE_EXPECT_OK(coordinator.status());
  coordinator_ = *std::move(coordinator);
  options.listen = coordinator_->address();
  stub_ = Coordinator::NewStub(*MakeChannel(coordinator_->address(), {}));
  for (uint32_t i = 0; start_shards && i < job_.shards(); ++i) StartShard();
}

void InProcessCluster::RestartCoordinator(absl::Duration away) {
  EndCoordinator();
  absl::SleepFor(away);
  auto next = CoordinatorServer::Start(coordinator_options_);
  SYNCLINE_ASSERT_OK(next.status());
  coordinator_ = *std::move(next);
}

void InProcessCluster::StartShard(uint64_t table_memory) {
  ShardServer::Options shard;
  shard.table_memory = table_memory;
  shard.table_folder = testing::TempDir() + "rows";
  shard.coordinator = coordinator_->address();
  shard.files = files_;
  auto server = ShardServer::Start(shard);
  SYNCLINE_EXPECT_OK(server.status());
  shards_.push_back(*std::move(server));
}

void InProcessCluster::Scale(uint32_t shards) {
  ScaleRequest request;
  request.set_shards(shards);
  Scale(request);
}

void InProcessCluster::Scale(const ScaleRequest& request) {
  SYNCLINE_EXPECT_OK(
      Call<ScaleReply>(*stub_, &Coordinator::Stub::Scale, request, absl::Seconds(10)).status());
}

absl::Status InProcessCluster::WaitForShards(int count) {
  return WaitUntil([count](const ClusterStatusReply& status) {
    return status.map().shards_size() == count && !status.rescale().moving();
  });
}

InProcessCluster::~InProcessCluster() {
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

void InProcessCluster::StartWorker(absl::Duration step_delay, const std::string& host) {
  results_.push_back(std::make_unique<absl::Status>());
  WorkerOptions options;
  options.coordinator = coordinator();
  options.name = absl::StrCat("worker-", workers_.size());
  options.step_delay = step_delay;
  options.host = host;
  workers_.emplace_back([options, result = results_.back().get()] { *result = RunWorker(options); });
}

absl::Status InProcessCluster::JoinWorkers() {
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  for (const auto& result : results_) SYNCLINE_RETURN_IF_ERROR(*result);
  return absl::OkStatus();
}

ClusterStatusReply InProcessCluster::Status() {
  const auto status = Call<ClusterStatusReply>(*stub_, &Coordinator::Stub::ClusterStatus,
                                               ClusterStatusRequest(), absl::Seconds(10));
  SYNCLINE_EXPECT_OK(status.status());
  return status.ok() ? *status : ClusterStatusReply();
}

absl::Status InProcessCluster::WaitUntil(
    const std::function<bool(const ClusterStatusReply&)>& done) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (absl::Now() < deadline) {
    if (done(Status())) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::DeadlineExceededError(Status().ShortDebugString());
}

ClusterStatusReply InProcessCluster::Finish() {
  SYNCLINE_EXPECT_OK(JoinWorkers());
  SYNCLINE_EXPECT_OK(WaitUntilFinished());
  return Status();
}

absl::StatusOr<Weights> CheckpointWeights(const std::string& directory) {
  FileSystem& files = PosixFileSystem();
  SYNCLINE_ASSIGN_OR_RETURN(const std::string folder, LatestCheckpoint(files, directory));
  const std::string file = directory + "/export.safetensors";
  SYNCLINE_RETURN_IF_ERROR(ExportCheckpoint(files, folder, file).status());
  SYNCLINE_ASSIGN_OR_RETURN(const auto reader, SafetensorsReader::Open(files, file));
  Weights weights;
  for (const SafetensorsTensor& tensor : reader->tensors()) {
    std::vector<float>& values = weights[tensor.name];
    values.resize(tensor.bytes() / sizeof(float));
    SYNCLINE_RETURN_IF_ERROR(
        reader->Read(tensor, 0, tensor.bytes(), reinterpret_cast<char*>(values.data())));
  }
  return weights;
}

Weights TrainedWeights(JobManifest job, const std::string& restore) {
  InProcessCluster cluster(std::move(job), restore);
  cluster.StartWorkers();
  cluster.Finish();
  auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return weights.ok() ? *std::move(weights) : Weights();
}

double Difference(const Weights& a, const Weights& b) {
  double largest = 0;
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [name, values] : a) {
    double size = 1e-3, difference = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      size = std::max<double>(size, std::abs(values[i]));
      difference = std::max<double>(difference, std::abs(values[i] - b.at(name)[i]));
    }
    largest = std::max(largest, difference / size);
  }
  return largest;
}

Sender SenderOf(const Client& client) {
  Sender sender;
  sender.set_rank(client.rank());
  sender.set_incarnation(client.incarnation());
  sender.set_protocol(kProtocolVersion);
  sender.set_map_epoch(1);
  return sender;
}

}  // namespace syncline
