#include "worker/local/local_team.h"

#include <algorithm>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

class LocalTeamTest : public testing::Test {
 protected:
  LocalTeamTest() {
    LocalTeam::Options options;
    options.listener = std::move(JoinHostGroup(name_, nullptr)->socket);
    options.rank = 3;
    options.incarnation = 7;
    options.values = *SharedMemory::Create(64);
    options.parameters = 2;
    options.patience = absl::Milliseconds(50);
    options.changed = [this](int processes) {
      absl::MutexLock lock(&mu_);
      processes_ = processes;
    };
    team_ = std::make_unique<LocalTeam>(std::move(options));
    team_->BeginPull();
  }

  void WaitForProcesses(int count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&] { return processes_ == count; };
    mu_.Await(absl::Condition(&there));
  }

  // Joins as a helper would.
  LocalSocket Help(std::shared_ptr<SharedMemory> gradients) {
    LocalSocket socket = std::move(JoinHostGroup(name_, nullptr)->socket);
    int weights = -1;
    const auto welcome = Receive(socket, &weights);
    EXPECT_TRUE(welcome.ok() && welcome->kind == HostMessage::kWelcome);
    EXPECT_EQ(welcome->rank, 3u);
    EXPECT_EQ(welcome->incarnation, 7u);
    SYNCLINE_EXPECT_OK(SharedMemory::Adopt(weights).status());
    HostMessage lend;
    lend.kind = HostMessage::kGradients;
    SYNCLINE_EXPECT_OK(Send(socket, lend, gradients->fd()));
    return socket;
  }

  static StepLease Step() {
    StepLease step;
    step.set_clock(5);
    step.set_begin(100);
    step.set_count(8);
    return step;
  }

  const std::string name_ = HostGroupName(RandomToken(8), "h:1", "");
  absl::Mutex mu_;
  int processes_ = 1;
  std::unique_ptr<LocalTeam> team_;
};

TEST_F(LocalTeamTest, TellsAPartAndSeesWhatIsMade) {
  const auto gradients = *SharedMemory::Create(64);
  const LocalSocket helper = Help(gradients);
  WaitForProcesses(2);
  team_->Ready(1);
  ASSERT_EQ(team_->Begin(Step(), 8).size(), 2u);
  team_->Ready(0);
  auto told = Receive(helper);
  ASSERT_TRUE(told.ok() && told->kind == HostMessage::kStep);
  EXPECT_EQ(told->clock, 5u);
  EXPECT_EQ(told->begin, 104u);
  EXPECT_EQ(told->count, 4u);
  EXPECT_EQ(Receive(helper)->parameter, 1u);
  EXPECT_EQ(Receive(helper)->parameter, 0u);
  EXPECT_EQ(team_->Gradients(1, 0, false), nullptr);
  gradients->data()[0] = 42;
  HostMessage made;
  made.kind = HostMessage::kMade;
  made.clock = 5;
  SYNCLINE_ASSERT_OK(Send(helper, made));
  const char* const block = team_->Gradients(1, 0, true);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block[0], 42);
  made.kind = HostMessage::kDone;
  made.result = {1.5, 2};
  SYNCLINE_ASSERT_OK(Send(helper, made));
  const auto result = team_->Result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->loss_sum, 1.5);
  EXPECT_EQ(result->correct, 2);
  team_->Stop(true);
  EXPECT_EQ(Receive(helper)->kind, HostMessage::kEnd);
}

TEST_F(LocalTeamTest, AHelperThatGoesIsLost) {
  LocalSocket helper = Help(*SharedMemory::Create(64));
  WaitForProcesses(2);
  team_->Begin(Step(), 8);
  helper = LocalSocket();
  EXPECT_EQ(team_->Gradients(1, 0, true), nullptr);
  WaitForProcesses(1);
  // The parts of a step planned for two stay two.
  EXPECT_EQ(team_->Begin(Step(), 4).size(), 2u);
  EXPECT_EQ(team_->Gradients(1, 0, true), nullptr);
}

TEST_F(LocalTeamTest, ASilentHelperIsLost) {
  const LocalSocket helper = Help(*SharedMemory::Create(64));
  WaitForProcesses(2);
  team_->Begin(Step(), 8);
  EXPECT_EQ(team_->Gradients(1, 0, true), nullptr);
  EXPECT_FALSE(team_->Result(1).has_value());
  WaitForProcesses(1);
}

TEST_F(LocalTeamTest, MemoryOfAnotherSizeIsRefused) {
  const LocalSocket helper = Help(*SharedMemory::Create(4096));
  EXPECT_TRUE(absl::IsUnavailable(Receive(helper).status()));
}

}  // namespace
}  // namespace syncline
