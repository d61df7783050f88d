#include "deploy/cli/child_process.h"

#include <signal.h>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

std::string Log(const std::string& name) { return testing::TempDir() + "/" + name + ".log"; }

TEST(ChildProcessTest, ExitStatusAndOutput) {
  auto child = ChildProcess::Start("a", {"/bin/sh", "-c", "echo one; echo two; exit 3"}, Log("a"));
  SYNCLINE_ASSERT_OK(child);
  ASSERT_TRUE((*child)->WaitFor(absl::Seconds(20)));
  EXPECT_EQ((*child)->Poll(), 3);
  EXPECT_EQ(LastLines((*child)->log(), 1), "two");
}

TEST(ChildProcessTest, NoneIsLeftBehind) {
  auto child = ChildProcess::Start("b", {"/bin/sh", "-c", "echo $$; exec sleep 1000"}, Log("b"));
  SYNCLINE_ASSERT_OK(child);
  while (LastLines((*child)->log(), 1).empty()) {
  }
  const pid_t pid = std::stoi(LastLines((*child)->log(), 1));
  EXPECT_EQ(kill(pid, 0), 0);
  child->reset();
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProcessTest, TerminatesByASignal) {
  auto child = ChildProcess::Start("c", {"/bin/sh", "-c", "exec sleep 1000"}, Log("c"));
  SYNCLINE_ASSERT_OK(child);
  EXPECT_FALSE((*child)->Poll());
  (*child)->Terminate();
  ASSERT_TRUE((*child)->WaitFor(absl::Seconds(20)));
  EXPECT_EQ((*child)->Poll(), 128 + SIGTERM);
}

TEST(ChildProcessTest, AMissingProgramIsNamed) {
  EXPECT_THAT(ChildProcess::Start("d", {"/no/such/program"}, Log("d")).status(),
              StatusIs(absl::StatusCode::kNotFound, testing::HasSubstr("/no/such/program")));
}

}  // namespace
}  // namespace syncline
