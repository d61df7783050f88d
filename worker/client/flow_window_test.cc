#include "worker/client/flow_window.h"

#include <algorithm>
#include <deque>

#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr size_t kMiB = 1 << 20;

// Sends messages over a path of so many bytes a second and so many seconds a round trip, as many at a
// time as the window lets.
class Path {
 public:
  Path(double rate, double delay) : rate_(rate), delay_(delay) {}

  void Send(FlowWindow* window, size_t message, int count) {
    size_t under_way = 0;
    for (int sent = 0; sent < count || !calls_.empty();) {
      if (sent < count && (calls_.empty() || under_way + message <= window->limit())) {
        free_ = std::max(free_, now_) + static_cast<double>(message) / rate_;
        calls_.push_back({window->Begin(now_), free_ + delay_});
        under_way += message;
        ++sent;
        most_ = std::max(most_, under_way);
        continue;
      }
      now_ = std::max(now_, calls_.front().second);
      window->Delivered(calls_.front().first, message, now_);
      calls_.pop_front();
      under_way -= message;
    }
  }
  double now() const { return now_; }
  size_t most() const { return most_; }
  void Wait(double seconds) { now_ += seconds; }

 private:
  const double rate_, delay_;
  double now_ = 1, free_ = 0;
  size_t most_ = 0;
  std::deque<std::pair<FlowWindow::Call, double>> calls_;
};

TEST(FlowWindowTest, FillsALongPath) {
  FlowWindow window({});
  Path path(1e9, 0.05);  // 50 MB under way
  path.Send(&window, 2 * kMiB, 200);
  const double begin = path.now();
  path.Send(&window, 2 * kMiB, 500);
  EXPECT_LT(path.now() - begin, 1.15 * 500 * 2 * kMiB / 1e9);
  EXPECT_LE(window.limit(), 256 * kMiB);
}

TEST(FlowWindowTest, KeepsTheQueueOfASlowPathShort) {
  FlowWindow window({});
  Path path(12e6, 0.001);  // 12 KB under way
  path.Send(&window, kMiB, 100);
  EXPECT_LE(path.most(), 8 * kMiB) << "what it began with";
  EXPECT_LT(window.limit(), 5 * kMiB) << "four messages of 1 MiB, and what the path holds";
}

TEST(FlowWindowTest, ForgetsAPathThatIsNoMore) {
  FlowWindow window({});
  Path(1e9, 0.05).Send(&window, 2 * kMiB, 200);
  const size_t wide = window.limit();
  Path narrow(12e6, 0.001);
  narrow.Wait(20);
  narrow.Send(&window, kMiB, 20);
  narrow.Wait(20);
  narrow.Send(&window, kMiB, 20);
  EXPECT_LT(window.limit(), wide / 4);
}

TEST(FlowWindowTest, TheShardMayGrantLess) {
  FlowWindow window({});
  window.Grant(1000);
  EXPECT_EQ(window.limit(), 1000u);
  window.Grant(size_t{1} << 40);
  EXPECT_EQ(window.limit(), 8 * kMiB) << "before anything is known";
}

}  // namespace
}  // namespace syncline
