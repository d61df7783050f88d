#include "server/coordinator/coordinator.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/cluster/ids.h"
#include "common/config/manifest.h"
#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// A shard that is always at the step it is told to be at.
class FakeShard final : public ShardLink {
 public:
  // `gone`: calls fail as those to a daemon that has ended. `away`: so do those that configure it or tell it of
  // members. `configured` is told of the attempt.
  FakeShard(uint64_t step, const std::atomic<bool>* gone, std::function<bool()> away,
            std::function<void(uint64_t)> configured)
      : step_(step), gone_(gone), away_(std::move(away)), configured_(std::move(configured)) {}

  absl::StatusOr<ConfigureReply> Configure(const ConfigureRequest& request) override {
    if (away_()) return absl::UnavailableError("away");
    configured_(request.attempt());
    return ConfigureReply();
  }
  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) override {
    if (away_()) return absl::UnavailableError("away");
    UpdateMemberReply reply;
    if (request.action() == UpdateMemberRequest::FENCE) reply.set_committed(step_);
    if (request.action() == UpdateMemberRequest::REMOVE) members_.erase(request.rank());
    if (request.action() == UpdateMemberRequest::ADMIT) {
      const auto [member, fresh] = members_.emplace(request.rank(), request.incarnation());
      if (!fresh && member->second != request.incarnation()) {
        return absl::FailedPreconditionError("still a member: remove it first");
      }
    }
    return reply;
  }
  absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest&) override {
    return absl::UnimplementedError("no change of the map here");
  }
  absl::StatusOr<StopAtReply> StopAt(uint64_t step) override {
    if (*gone_) return absl::UnavailableError("connection refused");
    StopAtReply reply;
    reply.set_accepted(step > step_);
    reply.set_step(step_);
    return reply;
  }
  absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(const WriteCheckpointRequest&) override {
    return absl::UnimplementedError("no checkpoints here");
  }
  absl::StatusOr<ShardStatusReply> Status() override {
    if (*gone_) return absl::UnavailableError("connection refused");
    ShardStatusReply reply;
    reply.set_step(step_);
    return reply;
  }
  absl::Status EndJob() override { return absl::OkStatus(); }
  void GiveUp() override {}

 private:
  const uint64_t step_;
  const std::atomic<bool>* const gone_;
  const std::function<bool()> away_;
  const std::function<void(uint64_t)> configured_;
  std::map<Rank, Incarnation> members_;
};

class CoordinatorTest : public testing::Test {
 protected:
  void Start(SyncMode mode, uint32_t workers = 2) {
    JobManifest job;
    job.set_name("test");
    job.mutable_model()->set_input(3);
    job.mutable_model()->add_layers()->mutable_linear()->set_units(1);
    job.mutable_model()->set_loss(MEAN_SQUARED_ERROR);
    job.mutable_data()->set_format(RANDOM_LINEAR);
    job.mutable_data()->set_samples(1000);
    job.set_sync_mode(mode);
    job.set_workers(workers);
    job.set_shards(2);
    job.set_batch_size(10);
    SYNCLINE_EXPECT_OK(CompleteManifest(&job));
    job.mutable_checkpoint()->clear_directory();
    CoordinatorCore::Options options;
    options.job = job;
    options.connect = [this](const std::string& address) {
      return std::make_unique<FakeShard>(
          address == "ahead" ? 7 : 6, &shards_gone_, [this, address] { return address == away_; },
          [this, address](uint64_t attempt) { attempts_[address] = attempt; });
    };
    options.member_lease = absl::Seconds(5);
    options.now = [this] {
      absl::MutexLock lock(&mu_);
      return now_;
    };
    core_ = *CoordinatorCore::Create(std::move(options));
  }

  void RegisterShard(const std::string& address) {
    RegisterShardRequest request;
    request.set_address(address);
    SYNCLINE_EXPECT_OK(core_->RegisterShard(request).status());
  }
  void RegisterShards() {
    for (const char* address : {"behind", "ahead"}) RegisterShard(address);
  }

  JoinWorkerReply Join() {
    const auto reply = core_->JoinWorker(JoinWorkerRequest());
    SYNCLINE_EXPECT_OK(reply.status());
    return *reply;
  }

  absl::StatusOr<CreateTensorsReply> Declare() {
    CreateTensorsRequest request;
    TensorSpec* tensor = request.add_tensors();
    tensor->set_name("w");
    tensor->add_shape(3);
    return core_->CreateTensors(request);
  }

  absl::StatusOr<LeaseReply> Lease(const JoinWorkerReply& worker, Clock from,
                                   uint64_t samples = 1000) {
    LeaseRequest request;
    request.set_rank(worker.rank());
    request.set_incarnation(worker.incarnation());
    request.set_samples(samples);
    request.set_from_clock(from);
    request.set_committed(from);
    return core_->Lease(request);
  }

  HeartbeatReply Beat(const JoinWorkerReply& worker) {
    HeartbeatRequest request;
    request.set_rank(worker.rank());
    request.set_incarnation(worker.incarnation());
    return *core_->Heartbeat(request);
  }

  void Leave(const JoinWorkerReply& worker, Clock clock) {
    LeaveWorkerRequest request;
    request.set_rank(worker.rank());
    request.set_incarnation(worker.incarnation());
    request.set_clock(clock);
    SYNCLINE_EXPECT_OK(core_->LeaveWorker(request).status());
  }

  void PassUnheard(absl::Duration time) {
    absl::MutexLock lock(&mu_);
    now_ += time;
  }
  void Beat(const std::string& shard) {
    HeartbeatRequest request;
    request.set_shard(shard);
    SYNCLINE_EXPECT_OK(core_->Heartbeat(request).status());
  }
  // The shards are heard of meanwhile.
  void Pass(absl::Duration time) {
    for (; time > absl::ZeroDuration(); time -= absl::Seconds(1)) {
      PassUnheard(absl::Seconds(1));
      for (const char* address : {"behind", "ahead"}) Beat(address);
      core_->Tick();
    }
  }

  // Drains on a thread and returns once shards and coordinator agree where, as `agreed` sees it.
  std::thread BeginDrain(const std::function<bool()>& agreed) {
    std::thread drain([this] { SYNCLINE_EXPECT_OK(core_->Drain({}).status()); });
    for (int wait = 0; wait < 10000 && !agreed(); ++wait) absl::SleepFor(absl::Milliseconds(1));
    return drain;
  }

  absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_) = absl::FromUnixSeconds(1000);
  std::atomic<bool> shards_gone_{false};
  std::string away_;                         // a shard's address
  std::map<std::string, uint64_t> attempts_;  // that shards were configured for
  std::unique_ptr<CoordinatorCore> core_;
};

TEST_F(CoordinatorTest, SaysWhatIsMissing) {
  Start(SYNC);
  const auto worker = Join();
  EXPECT_THAT(Declare().status(), StatusIs(StatusCode::kUnavailable, HasSubstr("0 of 2")));
  RegisterShards();
  SYNCLINE_EXPECT_OK(Declare().status());
  EXPECT_THAT(core_->ClusterStatus()->waiting_for(), HasSubstr("workers: 1 of 2"));
  const auto lease = Lease(worker, 0);
  EXPECT_EQ(lease->steps_size(), 0) << "the other worker is not there yet";
  EXPECT_FALSE(lease->finished());
  RegisterShardRequest third;
  third.set_address("third");
  SYNCLINE_EXPECT_OK(core_->RegisterShard(third).status());
  EXPECT_THAT(core_->ClusterStatus()->rescale().spare(), testing::ElementsAre("third"));
}

TEST_F(CoordinatorTest, AShardIsLostWhileTheyAreConfigured) {
  Start(SYNC);
  RegisterShards();
  Join();
  away_ = "ahead";
  EXPECT_THAT(Declare().status(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Declare().status(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(attempts_["behind"], 1u) << "the same again is no other attempt";
  RegisterShard("third");
  for (int i = 0; i < 12; ++i) {
    PassUnheard(absl::Seconds(1));
    for (const char* address : {"behind", "third"}) Beat(address);
  }
  const auto declared = Declare();
  SYNCLINE_ASSERT_OK(declared);
  EXPECT_EQ(declared->map().epoch() >> 32, 1u);
  EXPECT_EQ(attempts_["behind"], 2u) << "or it would refuse";
  EXPECT_EQ(attempts_["third"], 2u);
}

// It waited for the two of the manifest, of which the second was a spare one.
TEST_F(CoordinatorTest, AJobThatWasScaledDownBeginsAnewWithFewerShards) {
  Start(ASYNC, 1);
  RegisterShards();
  Join();
  SYNCLINE_ASSERT_OK(Declare().status());
  ScaleRequest scale;
  scale.set_shards(1);
  SYNCLINE_ASSERT_OK(core_->Scale(scale).status());
  shards_gone_ = true;
  for (int i = 0; i < 12; ++i) {
    PassUnheard(absl::Seconds(1));
    Beat("ahead");
    core_->Tick();
  }
  shards_gone_ = false;
  Join();
  const auto declared = Declare();
  SYNCLINE_ASSERT_OK(declared.status());
  EXPECT_EQ(declared->map().shards_size(), 1);
  EXPECT_EQ(declared->map().epoch() >> 32, 1u) << "anew";
}

TEST_F(CoordinatorTest, EveryWorkerMustHaveTheSameData) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  SYNCLINE_EXPECT_OK(Lease(first, 0).status());
  EXPECT_THAT(Lease(second, 0, 999).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("1000")));
}

// The shards settle on step 8: the one ahead is at 7. A worker that one of them stopped at 7 while
// they settled has that step yet to do, or the other worker would make it alone.
TEST_F(CoordinatorTest, ADrainedWorkerGoesOnToTheStepAllShardsAgreedOn) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  SYNCLINE_EXPECT_OK(Lease(first, 0).status());
  std::thread drain = BeginDrain([&] { return Lease(second, 8)->finished(); });
  const auto early = Lease(first, 7);
  SYNCLINE_ASSERT_OK(early);
  EXPECT_FALSE(early->finished());
  EXPECT_EQ(early->steps(0).clock(), 7u);
  EXPECT_TRUE(Lease(first, 8)->finished());
  EXPECT_TRUE(Lease(second, 8)->finished());
  EXPECT_FALSE(Beat(first).stopping()) << "in sync the shards say where";
  EXPECT_THAT(core_->JoinWorker(JoinWorkerRequest()).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("is over")));
  Leave(first, 8);
  Leave(second, 8);
  core_->Tick();
  drain.join();
  EXPECT_TRUE(core_->finished());
  shards_gone_ = true;
  SYNCLINE_EXPECT_OK(core_->Drain({}).status()) << "again, by the daemon's end: nothing is left to stop";
}

TEST_F(CoordinatorTest, ADrainTellsAsyncWorkersToStopWhereTheyAre) {
  Start(ASYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  SYNCLINE_EXPECT_OK(Lease(first, 0).status());
  EXPECT_FALSE(Beat(first).stopping());
  std::thread drain = BeginDrain([&] { return Beat(first).stopping(); });
  EXPECT_TRUE(Beat(first).stopping());
  EXPECT_TRUE(Beat(second).stopping());
  Leave(first, 1);
  Leave(second, 0);
  core_->Tick();
  drain.join();
}

TEST_F(CoordinatorTest, ASilentWorkerIsGivenUp) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  Pass(absl::Seconds(4));
  EXPECT_FALSE(Beat(first).expelled());
  Pass(absl::Seconds(4));
  EXPECT_FALSE(Beat(first).expelled());
  EXPECT_TRUE(Beat(second).expelled());
  EXPECT_THAT(Lease(second, 0).status(), StatusIs(StatusCode::kFailedPrecondition));
  const auto again = Join();
  EXPECT_EQ(again.rank(), second.rank());
  EXPECT_GT(again.incarnation(), second.incarnation());
}

TEST_F(CoordinatorTest, WhoHearsNobodyGivesNobodyUp) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  Pass(absl::Seconds(1));
  for (int i = 0; i < 60; ++i) {  // cut off from all of them
    PassUnheard(absl::Seconds(1));
    core_->Tick();
  }
  Pass(absl::Seconds(3));
  EXPECT_FALSE(Beat(first).expelled());
  PassUnheard(absl::Seconds(60));  // frozen, and the first to be heard then is a shard
  Pass(absl::Seconds(3));
  EXPECT_FALSE(Beat(first).expelled());
  Pass(absl::Seconds(4));
  EXPECT_FALSE(Beat(first).expelled());
  EXPECT_TRUE(Beat(second).expelled()) << "the others were heard all the time";
}

// A connection that a network has dropped for a while can take longer than a lease to carry again.
TEST_F(CoordinatorTest, ShardsThatAreSilentAreAskedBeforeTheJobBeginsAnew) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join();
  Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  const auto pass = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      PassUnheard(absl::Seconds(1));
      Beat(first);
      core_->Tick();
    }
  };
  pass(60);
  EXPECT_FALSE(Beat(first).expelled());
  shards_gone_ = true;
  pass(12);
  EXPECT_TRUE(Beat(first).expelled()) << "all is begun anew";
}

TEST_F(CoordinatorTest, AWorkerByTheNameOfOneThatDiedTakesItsPlaceOnceThatIsFree) {
  Start(SYNC);
  RegisterShards();
  JoinWorkerRequest named;
  named.set_name("w");
  const auto first = core_->JoinWorker(named);
  SYNCLINE_ASSERT_OK(first);
  const auto other = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  SYNCLINE_EXPECT_OK(Lease(other, 0).status());
  EXPECT_THAT(core_->JoinWorker(named).status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("two workers at a time need two names")));
  Pass(absl::Seconds(4));
  Beat(other);
  Pass(absl::Seconds(3));
  auto again = core_->JoinWorker(named);
  SYNCLINE_ASSERT_OK(again);
  EXPECT_EQ(again->rank(), first->rank());
  // One that joins again itself knows that nobody else has its place.
  named.set_replaces_rank(again->rank());
  named.set_replaces_incarnation(again->incarnation());
  again = core_->JoinWorker(named);
  SYNCLINE_ASSERT_OK(again);
  EXPECT_EQ(again->rank(), first->rank());
}

TEST_F(CoordinatorTest, AWorkerThatOnlySomeShardsLetInMayComeAgain) {
  Start(SYNC);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  Leave(second, 0);
  JoinWorkerRequest named;
  named.set_name("w");
  away_ = "ahead";
  EXPECT_THAT(core_->JoinWorker(named).status(), StatusIs(StatusCode::kUnavailable));
  away_ = "";
  Pass(absl::Seconds(4));
  Beat(first);
  Pass(absl::Seconds(3));
  const auto again = core_->JoinWorker(named);
  SYNCLINE_ASSERT_OK(again);
  EXPECT_EQ(again->rank(), second.rank());
}

TEST_F(CoordinatorTest, OneWorkerMeasuresTheModel) {
  Start(SYNC, 1);
  RegisterShards();
  const auto first = Join(), second = Join();
  SYNCLINE_EXPECT_OK(Declare().status());
  Clock end = 0;
  for (LeaseReply lease; !lease.finished();) {
    lease = *Lease(first, end);
    if (lease.steps_size() > 0) end = lease.steps(lease.steps_size() - 1).clock() + 1;
    SYNCLINE_ASSERT_OK(Lease(second, end).status());
  }
  const bool one = Lease(first, end)->evaluate(), other = Lease(second, end)->evaluate();
  EXPECT_NE(one, other);
}

}  // namespace
}  // namespace syncline
